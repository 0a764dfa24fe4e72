// VitePress' own theme, with the demo of the home page.
import DefaultTheme from "vitepress/theme";
import HomeDemo from "./HomeDemo.vue";
import "./style.css";

export default {
  extends: DefaultTheme,
  /** @param {{ app: import("vue").App }} context */
  enhanceApp({ app }) {
    app.component("HomeDemo", HomeDemo);
  },
};
