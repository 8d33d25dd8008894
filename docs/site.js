// What a name is, shown under the pointer: the texts stand in the page, hidden. And the list of pages starts closed where it would fill the screen.
(() => {
    const menu = document.querySelector(".menu");
    if (menu && window.matchMedia("(max-width: 48rem)").matches) menu.open = false;

    let shown = null;
    const hide = () => {
        if (shown) shown.classList.remove("shown");
        shown = null;
    };
    document.addEventListener("mouseover", event => {
        const name = event.target.closest("[data-fsdocs-tip]");
        const tip = name && document.getElementById(name.dataset.fsdocsTip);
        if (shown && (tip === shown || shown.contains(event.target))) return;
        hide();
        if (!tip) return;
        document.body.appendChild(tip);
        tip.classList.add("shown");
        const place = name.getBoundingClientRect();
        const left = Math.min(place.left, document.documentElement.clientWidth - tip.offsetWidth - 8);
        tip.style.left = Math.max(8, left) + window.scrollX + "px";
        tip.style.top = place.bottom + window.scrollY + "px";
        shown = tip;
    });
    document.addEventListener("keydown", event => { if (event.key === "Escape") hide(); });
})();
