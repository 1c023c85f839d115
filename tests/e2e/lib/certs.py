# SPDX-License-Identifier: BSD-3-Clause
"""Certificates for one test, made by openssl in its own directory."""
import hashlib
import os
import subprocess

from lib import case as case_module

EC = {"P-256": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
      "P-384": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"]}


def openssl(*args):
    program = case_module.need_program("openssl")
    done = subprocess.run([program, *args], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError("openssl %s: %s" % (" ".join(args), done.stderr))
    return done.stdout


def key_options(kind):
    return EC.get(kind) or ["-newkey", "rsa:%s" % kind.rpartition(" ")[2]]


class Authority:
    """A CA that signs what a test asks for."""

    def __init__(self, directory, name="test CA"):
        self.dir = directory
        self.cert = os.path.join(directory, name.replace(" ", "-") + ".pem")
        self.key = self.cert + ".key"
        self.count = 0
        openssl("req", "-x509", *EC["P-256"], "-nodes", "-days", "30", "-subj", "/CN=" + name,
                "-keyout", self.key, "-out", self.cert)

    def issue(self, names="DNS:localhost,IP:127.0.0.1,IP:::1", kind="P-256", days=None,
              usage="serverAuth", digest="sha256"):
        """(certificate file, key file); `days` is (first, last) from today on."""
        self.count += 1
        base = "%s-leaf%d" % (self.cert[:-4], self.count)
        openssl("req", *key_options(kind), "-nodes", "-subj", "/CN=leaf%d" % self.count,
                "-keyout", base + ".key", "-out", base + ".csr")
        with open(base + ".ext", "w", encoding="ascii") as out:
            out.write("subjectAltName=%s\nextendedKeyUsage=%s\n" % (names, usage))
        sign = ["x509", "-req", "-in", base + ".csr", "-CA", self.cert, "-CAkey", self.key,
                "-set_serial", str(self.count), "-extfile", base + ".ext", "-" + digest,
                "-out", base + ".pem"]
        if days is None:
            openssl(*sign, "-days", "10")
        else:
            self.dated(base, days, digest)
        return base + ".pem", base + ".key"

    def dated(self, base, days, digest):
        """`openssl x509` can't set the first day: `openssl ca` can."""
        config = base + ".cnf"
        with open(config, "w", encoding="ascii") as out:
            out.write("[ca]\ndefault_ca=c\n[c]\ndatabase=%s.db\nnew_certs_dir=%s\nserial=%s.srl\n"
                      "policy=p\n[p]\ncommonName=supplied\n" % (base, self.dir, base))
        for name, text in ((".db", ""), (".srl", "%02x\n" % (self.count + 100))):
            with open(base + name, "w", encoding="ascii") as out:
                out.write(text)
        openssl("ca", "-batch", "-notext", "-config", config, "-cert", self.cert, "-keyfile",
                self.key, "-in", base + ".csr", "-out", base + ".pem", "-md", digest, "-extfile",
                base + ".ext", "-startdate", stamp(days[0]), "-enddate", stamp(days[1]))


def stamp(days):
    import datetime
    now = datetime.datetime.now(datetime.timezone.utc)
    return (now + datetime.timedelta(days=days)).strftime("%Y%m%d%H%M%SZ")


def pin_of(cert):
    """What pin= wants: the hash of the public key."""
    pem = openssl("x509", "-in", cert, "-noout", "-pubkey")
    program = case_module.need_program("openssl")
    der = subprocess.run([program, "pkey", "-pubin", "-outform", "DER"], input=pem.encode(),
                         capture_output=True, check=True).stdout
    return "sha256:" + hashlib.sha256(der).hexdigest()
