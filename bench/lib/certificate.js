// @ts-check
// A self-signed certificate for the servers that speak TLS, made anew for each process.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** @returns {{ cert: string, key: string }} */
export function certificate() {
  const folder = mkdtempSync(join(tmpdir(), "unichannel-bench-"));
  const [certPath, keyPath] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  try {
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", keyPath];
    const subject = ["-subj", "/CN=localhost", "-days", "2", "-out", certPath];
    execFileSync("openssl", ["req", "-x509", ...key, ...subject], { stdio: "ignore" });
    return { cert: readFileSync(certPath, "utf8"), key: readFileSync(keyPath, "utf8") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
