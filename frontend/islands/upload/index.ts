import { mountIslands } from "../mount";
import { UploadForm } from "./view/form";

mountIslands("upload", (root) => new UploadForm(root as HTMLFormElement));
