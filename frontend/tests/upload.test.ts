import { describe, expect, it } from "vitest";
import { readAnswer } from "../islands/upload/core/answer";
import { collect, type Entry, neutralName, totalBytes, usable } from "../islands/upload/core/selection";

describe("what is sent", () => {
  it("leaves out what systems put beside the real files", () => {
    const files = [".DS_Store", "._IM1", "Thumbs.db", "IM1", "DICOMDIR"].map((name) => ({ name, size: 10 }));
    expect(usable(files).map((file) => file.name)).toEqual(["IM1", "DICOMDIR"]);
    expect(totalBytes(usable(files))).toBe(20);
  });

  it("carries no name that a hospital gave, only the ending that matters", () => {
    expect(neutralName("DOE^JOHN 1950.dcm", 0)).toBe("file-00001.dcm");
    expect(neutralName("doe.zip", 4)).toBe("file-00005.zip");
    expect(neutralName("mask doe.nii.gz", 0)).toBe("file-00001.nii.gz");
    expect(neutralName("1.2.840.113619.doe", 0)).toBe("file-00001");
  });

  it("holds every file of folders in folders", async () => {
    const file = (name: string): Entry<string> => ({
      isFile: true,
      file: async () => name,
      children: async () => [],
    });
    const folder = (...inside: Entry<string>[]): Entry<string> => ({
      isFile: false,
      file: () => Promise.reject(new Error("a folder is no file")),
      children: async () => inside,
    });
    const found = await collect([folder(file("a"), folder(file("b"), folder())), file("c")]);
    expect(found.sort()).toEqual(["a", "b", "c"]);
  });
});

describe("the server's answer", () => {
  it("leads to the page it names", () => {
    expect(readAnswer(202, '{"location": "/patients/A-0001/"}')).toEqual({ kind: "go", location: "/patients/A-0001/" });
  });

  it.each(["https://elsewhere.example/", "//elsewhere.example/", "/\\elsewhere.example", "javascript:alert(1)"])(
    "is not followed to %s",
    (location) => {
      expect(readAnswer(202, JSON.stringify({ location }))).toEqual({ kind: "unreadable" });
    },
  );

  it("that refuses is shown with its own sentence", () => {
    const body =
      '{"title": "two slices", "detail": "The series has two slices. Send all of it.", "code": "two_slices"}';
    expect(readAnswer(422, body)).toEqual({ kind: "refused", sentence: "The series has two slices. Send all of it." });
    expect(readAnswer(413, '{"title": "too large"}')).toEqual({ kind: "refused", sentence: "too large" });
    const pictured = '{"detail": "It lies elsewhere.", "figure": "<figure></figure>"}';
    const figure = "<figure></figure>";
    expect(readAnswer(422, pictured)).toEqual({ kind: "refused", sentence: "It lies elsewhere.", figure });
    expect(readAnswer(422, '{"detail": "No.", "figure": 3}')).toEqual({ kind: "refused", sentence: "No." });
  });

  it.each([
    [500, '{"detail": "traceback"}'],
    [502, "<html>"],
    [200, "{}"],
    [422, "[]"],
  ])("%i %s has no sentence for a person", (status, body) => {
    expect(readAnswer(status, body)).toEqual({ kind: "unreadable" });
  });
});
