// VitePress' own theme, with the demo of the home page and a choice between TypeScript and JavaScript.
import { inBrowser, onContentUpdated } from "vitepress";
import DefaultTheme from "vitepress/theme";
import { followChoice, markTabs } from "./code-choice.js";
import HomeDemo from "./HomeDemo.vue";
import "./style.css";

export default {
  extends: DefaultTheme,
  /** @param {{ app: import("vue").App }} context */
  enhanceApp({ app }) {
    app.component("HomeDemo", HomeDemo);
    if (inBrowser) followChoice();
  },
  setup() {
    onContentUpdated(markTabs);
  },
};
