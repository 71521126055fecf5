import { mountIslands } from "../mount";
import { CtUploadForm } from "./view/form";

mountIslands("ctupload", (root) => new CtUploadForm(root as HTMLFormElement));
