// Streamlit calls a component at every change of its data, and sets nothing up or down in between. But where a call is
// overtaken by a newer one before its script has arrived (a slow machine), it runs what that call gave to clean up after
// the newer one has drawn. So what a call gives to clean up may only end what has left the page.
const whenGone = (parentElement, end) => () => {
  if (!parentElement.isConnected) end();
};
