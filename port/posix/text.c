/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/posix/text.h"

#include <unistd.h>

#include "config/np_config.h"
#include "port/posix/cli.h"

#ifndef NP_VERSION
#error "NP_VERSION: want -DNP_VERSION with the text of the file VERSION"
#endif

/* Names of systems and machines as the Go program prints them: scripts compare them. */
#if defined(__linux__)
#define OS "linux"
#elif defined(__FreeBSD__)
#define OS "freebsd"
#elif defined(__APPLE__)
#define OS "darwin"
#else
#define OS "unix"
#endif
#if defined(__x86_64__)
#define ARCH "amd64"
#elif defined(__i386__)
#define ARCH "386"
#elif defined(__aarch64__)
#define ARCH "arm64"
#elif defined(__arm__)
#define ARCH "arm"
#elif defined(__mips__) && defined(__mips64)
#define ARCH (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? "mips64" : "mips64le")
#elif defined(__mips__)
#define ARCH (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? "mips" : "mipsle")
#elif defined(__riscv)
#define ARCH (__riscv_xlen == 64 ? "riscv64" : "riscv32")
#else
#define ARCH "unknown"
#endif

static void print_version_line(void)
{
    np_cli_print(STDOUT_FILENO, "Version: v%s %s/%s\n", NP_VERSION, OS, ARCH);
}

static const char usage[] = "\n"
                            "Usage:\n"
                            "  nodepass URL              run one tunnel: server:// or client://\n";

static const char usage_master[] =
    "  nodepass URL              run many, under a panel and an API: master://\n";

static const char usage_ctl[] =
    "  nodepass ctl VERB         ask and tell a running master (nodepass ctl help)\n";

static const char usage_rest[] =
    "  nodepass -c FILE          run every tunnel of an INI file in one process\n"
    "  nodepass --check URL      check only, print the effective settings (or: --check -c FILE)\n"
    "  nodepass --version | -V   version and limits\n"
    "  nodepass --help | -h      explanation with examples\n";

void np_text_print_usage(void)
{
    np_cli_write(STDOUT_FILENO, "NodePass: a tunnel for TCP and UDP\n");
    print_version_line();
    np_cli_write(STDOUT_FILENO, usage);
    if (NP_MASTER) {
        np_cli_write(STDOUT_FILENO, usage_master);
    }
    if (NP_HAS_CTL) {
        np_cli_write(STDOUT_FILENO, usage_ctl);
    }
    np_cli_write(STDOUT_FILENO, usage_rest);
}

void np_text_print_version(void)
{
    print_version_line();
    np_cli_write(STDOUT_FILENO, NP_HAS_TLS ? "TLS: 1.3\n" : "TLS: not in this build\n");
    np_cli_write(STDOUT_FILENO,
                 NP_MASTER ? "Master: API v1, events, panel\n" : "Master: not in this build\n");
    np_cli_print(STDOUT_FILENO,
                 "Limits: %u instances, %u sessions, %u pool connections an instance, "
                 "datagrams of %u bytes, URLs of %u bytes, keys of %u bytes\n",
                 (unsigned)NP_MAX_INSTANCES, (unsigned)NP_MAX_SESSIONS, (unsigned)NP_MAX_CONNS,
                 (unsigned)NP_MAX_DATAGRAM, (unsigned)NP_MAX_URL, (unsigned)NP_MAX_KEY);
}

static const char help_examples[] =
    "\n"
    "URL:\n"
    "  server://KEY@TUNNEL/TARGET?OPTIONS     listens on TUNNEL for the client\n"
    "  client://KEY@TUNNEL/TARGET?OPTIONS     dials TUNNEL, or forwards it alone (mode=1)\n"
    "  TUNNEL and TARGET are host:port; an empty host is all addresses to listen on, and this\n"
    "  machine to dial. Both ends need the same KEY; special characters in it are %XX. Quote the\n"
    "  URL in a shell.\n"
    "\n"
    "Examples:\n"
    "  1. Local forward, one process: port 8080 of this machine leads to a web server.\n"
    "       nodepass 'client://:8080/192.0.2.10:80?mode=1'\n"
    "  2. Reverse tunnel: visitors of port 8022 of the public machine reach SSH behind a NAT.\n"
    "       public:  nodepass 'server://KEY@:10101/:8022?mode=1'\n"
    "       at home: nodepass 'client://KEY@public.example.com:10101/127.0.0.1:22?mode=2'\n"
    "  3. Forward tunnel: port 5432 here leads to a database that only the server can reach.\n"
    "       there:   nodepass 'server://KEY@:10101/10.0.0.5:5432?mode=2'\n"
    "       here:    nodepass 'client://KEY@server.example.com:10101/127.0.0.1:5432?mode=2'\n"
    "  4. Many tunnels, without root's rights.\n"
    "       nodepass -c /etc/nodepass/nodepass.ini --user nobody\n";

static const char help_options[] =
    "\n"
    "Options of a URL (and of an [instance NAME] section):\n"
    "  log=info       none, debug, info, warn, error, event\n"
    "  mode=0         server: 1 listens on TARGET, 2 connects to it; client: 1 alone, 2 dials; 0 "
    "finds out\n"
    "  min=64         client: idle pool connections    max=1024  server: ceiling of the pool\n"
    "  read=1h        idle time-out (300ms, 1.5h, 2m30s)\n"
    "  rate=0         limit in Mbps each way           slot=1024 ceiling on sessions, 0 = the "
    "build's\n"
    "  mem=MB         most memory for all tables of the process; the least that is given counts\n"
    "  proxy=0        1: PROXY protocol v1 towards the target\n"
    "  notcp=0        1: only UDP                      noudp=0   1: only TCP\n"
    "  dial=auto      source address                   dns=5m    how long a name is kept\n";

static const char help_tls[] =
    "  tls=0          server: 1 TLS 1.3 with a certificate made at start, 2 with crt=FILE and "
    "key=FILE\n"
    "                 client: the least it accepts; with 2 it checks chain, name and dates\n"
    "  ca=FILE        client: CA certificates, else the system's    sni=NAME  name to ask for\n"
    "  pin=sha256:HEX client: the server's public key, as its log tells; needs no CA\n";

static const char help_switches[] =
    "\n"
    "Switches:\n"
    "  --user NAME[:GROUP]  become this user once all ports are bound, keep only the right to low "
    "ports\n"
    "  --url-file FILE      read the URL from FILE (mode 0600)\n"
    "  --state-dir DIR      directory for state\n"
    "  --syslog             log to syslog instead of standard output\n"
    "  --no-color           no colours in the log\n"
    "  NP_URL in the environment stands for a URL argument; NP_REPORT_INTERVAL=5s and others for\n"
    "  timing: see nodepass(1).\n"
    "\n"
    "Exit: 0 stopped by SIGINT or SIGTERM, 1 usage or configuration error, 2 the system refused.\n";

void np_text_print_help(void)
{
    np_text_print_usage();
    np_cli_write(STDOUT_FILENO, help_examples);
    np_cli_write(STDOUT_FILENO, help_options);
    if (NP_HAS_TLS) {
        np_cli_write(STDOUT_FILENO, help_tls);
    }
    np_cli_write(STDOUT_FILENO, help_switches);
}
