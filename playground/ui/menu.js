// On a small screen the navigation unfolds over the page, and Streamlit leaves it there when a page was chosen in it;
// the switches in its foot stand outside its element, and to press one would fold it before it is pressed.
if (!window.menuFolds) {
  window.menuFolds = true;
  document.addEventListener("click", ({ target }) => {
    const menu = target.closest?.('[data-testid="stSidebar"]');
    if (innerWidth < 768 && menu && target.closest('[data-testid="stSidebarNavLink"], [data-testid="stLogoLink"]'))
      menu.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click();
  });
  document.body.addEventListener("mousedown", (event) => {
    if (event.target.closest?.(".st-key-frame-switches")) event.stopPropagation();
  });
}
