import { startConfirm } from "./view/confirm";
import { startHtmx } from "./view/htmx";
import { startButtons, startMenus } from "./view/menus";
import { startRefresh } from "./view/refresh";
import { startScrollBoxes } from "./view/scroll";
import { startShortcuts } from "./view/shortcuts";
import { startTheme } from "./view/theme";
import { startToasts } from "./view/toast";

startTheme();
startMenus();
startButtons();
startConfirm();
startShortcuts();
startToasts();
startScrollBoxes();
startRefresh();
startHtmx();
