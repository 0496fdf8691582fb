// Reads manifests with c2pa-ts, an implementation that shares no code with the one that writes them. Run by hand:
//
//   npm install @trustnxt/c2pa-ts@0.9.4 && node manifest_by_c2pa_ts.mjs clip.mp4 face.png face.jpg
//
// It judges signature, claim and hashes. It does not judge who signed, and calls every well-formed chain trusted.

import * as fs from "node:fs/promises";
import { BMFF, JPEG, PNG } from "@trustnxt/c2pa-ts/asset";
import { SuperBox } from "@trustnxt/c2pa-ts/jumbf";
import { ManifestStore, ValidationResult } from "@trustnxt/c2pa-ts/manifest";

BMFF.canReadBrands.add("isom").add("qt  "); // it names only HEIC's brands, but reads any file of boxes

async function judged(data) {
  const kind = [JPEG, PNG, BMFF].find((known) => known.canRead(data));
  if (!kind) throw new Error("format not known");
  const asset = new kind(data);
  const store = asset.getManifestJUMBF();
  if (!store) throw new Error("no manifest");
  return ManifestStore.read(SuperBox.fromBuffer(store)).validate(asset);
}

for (const path of process.argv.slice(2)) {
  const result = await judged(await fs.readFile(path)).catch((error) => ValidationResult.fromError(error));
  const codes = result.statusEntries.map((entry) => entry.code).join(" ");
  console.log(path, result.isValid ? "valid" : "INVALID", codes);
}
