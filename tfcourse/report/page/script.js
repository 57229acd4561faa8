"use strict";
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  // On a touch screen a drag scrolls the page.
  const touches = window.matchMedia("(pointer: coarse)").matches;

  function template() {
    const [text, grid, line, box] = dark.matches
      ? ["#c9d2de", "#27313d", "#4a5666", "#202935"]
      : ["#3b4656", "#e8ebf0", "#b9c2cd", "#ffffff"];
    const axis = { gridcolor: grid, linecolor: line, tickcolor: line, showline: true };
    return {
      layout: {
        font: { color: text, size: 12, family: "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif" },
        hoverlabel: { bgcolor: box, bordercolor: line, font: { color: text } },
        xaxis: axis,
        yaxis: axis,
      },
    };
  }

  function draw() {
    const settings = { responsive: true, displayModeBar: false };
    const drawn = Object.entries(figures).map(([name, figure]) => {
      const layout = { ...figure.layout, template: template() };
      if (touches && !figure.data.some((trace) => trace.type === "parcoords")) layout.dragmode = false;
      return Plotly.react(document.getElementById(name), figure.data, layout, settings);
    });
    Promise.all(drawn).then(() => document.body.setAttribute("data-drawn", "true"));
  }

  dark.addEventListener("change", draw);
  draw();
})();
