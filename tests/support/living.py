"""The living picture as a browser has it, and how quickly it is drawn."""

FIND = """() => {
    const roots = [document];
    for (const root of roots) {
        const found = root.querySelector(".living");
        if (found) return found;
        for (const each of root.querySelectorAll("*")) if (each.shadowRoot) roots.push(each.shadowRoot);
    }
}"""
DRAWN_IN = f"""async (ms) => {{
    const living = ({FIND})(), from = living.drawn, start = performance.now();
    await new Promise((done) => setTimeout(done, ms));
    return (1000 * (living.drawn - from)) / (performance.now() - start);
}}"""
"""How many pictures a second it draws."""
