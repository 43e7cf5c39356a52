// Equations are rendered by the KaTeX beside this file; nothing is fetched.
document.addEventListener("DOMContentLoaded", () => {
  for (const element of document.querySelectorAll(".arithmatex")) {
    const text = element.textContent.trim().replace(/^\\[[(]|\\[\])]$/g, "");
    katex.render(text, element, { displayMode: element.tagName === "DIV", throwOnError: false });
  }
});
