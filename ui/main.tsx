/** The dashboard: an SRE's one page during an outage. It knows the admin API's contract, and nothing else of the gateway. */
import "./state/language.ts";
import { render } from "preact";
import { App } from "./app.tsx";
import { startTheme } from "./state/theme.ts";
import "uplot/dist/uPlot.min.css";
import "./style/base.css";
import "./style/parts.css";
import "./style/pages.css";

startTheme();
const root = document.querySelector("#root");
if (root !== null) render(<App />, root);
