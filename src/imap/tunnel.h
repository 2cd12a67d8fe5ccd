/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* A command that speaks IMAP on its standard input and output, in a session (setsid) of its own.
 * What it writes to standard error goes to the debug log, its last line is kept for the error. */
typedef struct _Tunnel Tunnel;

/* Runs /bin/sh -c @command over a socket pair, or over two pipes for programs that refuse a socket
 * (Dovecot's imap as root). */
Tunnel *tunnel_start (const char *command, gboolean pipes, GError **error);

GIOStream *tunnel_stream (Tunnel *tunnel);

/* Calls @callback once the command's end is known, or after a second: it may have closed its output
 * and live on. */
typedef void (*TunnelEnded) (gpointer data);
void tunnel_await_end (Tunnel *tunnel, TunnelEnded callback, gpointer data);

/* "ended with status 7: last line of standard error". (transfer full) */
char *tunnel_describe_end (Tunnel *tunnel);

/* The last line of its standard error so far, with or without an end. (transfer full); NULL: it
 * said nothing. */
char *tunnel_last_words (Tunnel *tunnel);

/* /bin/sh did not find or could not run the command: another attempt is no use. */
gboolean tunnel_not_found (Tunnel *tunnel);

/* Closes both directions and frees @tunnel, now or when the command has ended; after some seconds
 * it is ended by signals. Returns at once. */
void tunnel_close (Tunnel *tunnel);

G_END_DECLS
