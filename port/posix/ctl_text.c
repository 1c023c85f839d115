/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/posix/ctl_text.h"

#include <unistd.h>

#include "port/posix/cli.h"

static const char help_verbs[] =
    "nodepass ctl VERB: asks and tells a running master (nodepass master://HOST:PORT)\n"
    "\n"
    "  list                   all instances: id, name, status, sessions, traffic\n"
    "  show ID|NAME           everything about one\n"
    "  add URL [NAME]         creates one and starts it; it comes back after a restart\n"
    "  edit ID|NAME URL       gives it another URL and restarts it\n"
    "  rename ID|NAME NEW     gives it another name\n"
    "  start, stop, restart ID|NAME ...\n"
    "  reset ID|NAME ...      traffic counters back to zero\n"
    "  rm ID|NAME ...         stops and forgets it\n"
    "  events [ID|NAME]       changes and log lines as they happen, until Ctrl-C\n"
    "  info                   the master and its machine\n"
    "  key                    the API key; `key rotate` makes a new one, the old one is dead at "
    "once\n"
    "\n"
    "An instance is named by its id, the beginning of it, or its name.\n"
    "\n"
    "Where the master is, and its key:\n"
    "  On the master's own machine, as its user: nothing to do, both are in its state directory\n"
    "  (--state-dir DIR, NP_STATE_DIR, /var/lib/nodepass for root).\n"
    "  Else: NP_MASTER=http://HOST:PORT[/PREFIX] (or --master) and NP_API_KEY in the "
    "environment.\n"
    "  The key has no switch: others could read it in the process list.\n";

static const char help_rest[] =
    "\n"
    "Switches:\n"
    "  --json                 what the API answered, for scripts; events: one JSON a line\n"
    "  --master URL           http://, https:// or the master:// URL itself\n"
    "  --pin sha256:HEX       https: the master's public key, as its log tells (tls=1);\n"
    "                         NP_MASTER_PIN in the environment does the same\n"
    "  --insecure             https: whoever answers; without it and --pin the system's CA "
    "certificates decide\n"
    "  --show-key             show: the URL with the tunnel's key\n"
    "  --no-color             events: no colours\n"
    "\n"
    "Examples:\n"
    "  nodepass ctl add 'client://:8080/192.0.2.10:80?mode=1' web\n"
    "  nodepass ctl list --json | jq -r '.[].status'\n"
    "  NP_MASTER=http://192.0.2.1:9090 NP_API_KEY=... nodepass ctl list\n"
    "\n"
    "Exit: 0 done, 1 wrong command or the master said no, 2 the master can't be reached.\n";

void np_ctl_text_print_help(void)
{
    np_cli_write(STDOUT_FILENO, help_verbs);
    np_cli_write(STDOUT_FILENO, help_rest);
}
