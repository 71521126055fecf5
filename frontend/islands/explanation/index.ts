import { Viewer } from "../ct/view/viewer";
import { mountIslands } from "../mount";
import { Heat } from "./view/heat";

mountIslands("explanation", (root) => {
  new Viewer(root);
  new Heat(root);
});
