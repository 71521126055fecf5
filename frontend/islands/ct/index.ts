import { mountIslands } from "../mount";
import { Viewer } from "./view/viewer";

mountIslands("ct", (root) => new Viewer(root));
