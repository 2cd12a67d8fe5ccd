/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the servers themselves take: the least that any program has to ask of them.
 *
 *   limit copy FROM TO MAILBOX...   one pipelined UID FETCH of everything, piped into LITERAL+
 *                                   MULTIAPPEND, one for each mailbox, which it creates
 *   limit script FILE A B           the lines of FILE: "0 COMMAND" or "1 COMMAND" sends to one of
 *                                   the two, "wait" waits until both have answered everything
 *
 * FROM, TO, A, B: PORT:USER, on loopback, password "pass"; with a "+" before it over TLS. It
 * trusts every server and believes all they say: this is a stopwatch, not a program. */
#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SIZE (256 * 1024)

typedef struct {
  int fd;
  gnutls_session_t tls;
  char in[SIZE], out[SIZE];
  size_t start, end, filled;
  unsigned sent, answered;
} Server;

static void
die (const char *what)
{
  fprintf (stderr, "limit: %s\n", what);
  exit (1);
}

static void
flush (Server *server)
{
  for (size_t at = 0; at < server->filled;) {
    ssize_t n = server->tls != NULL
                    ? gnutls_record_send (server->tls, server->out + at, server->filled - at)
                    : write (server->fd, server->out + at, server->filled - at);

    if (n <= 0)
      die ("cannot write");
    at += (size_t)n;
  }
  server->filled = 0;
}

static void
put (Server *server, const char *bytes, size_t length)
{
  while (length > 0) {
    size_t part = SIZE - server->filled < length ? SIZE - server->filled : length;

    memcpy (server->out + server->filled, bytes, part);
    server->filled += part;
    bytes += part;
    length -= part;
    if (server->filled == SIZE)
      flush (server);
  }
}

__attribute__ ((format (printf, 2, 3))) static void
say (Server *server, const char *format, ...)
{
  char *text;
  va_list args;
  int n;

  va_start (args, format);
  n = vasprintf (&text, format, args);
  va_end (args);
  if (n < 0)
    die ("no memory");
  put (server, text, (size_t)n);
  free (text);
}

static int
fill (Server *server)
{
  ssize_t n;

  if (server->start > 0) {
    memmove (server->in, server->in + server->start, server->end - server->start);
    server->end -= server->start;
    server->start = 0;
  }
  if (server->end == SIZE)
    die ("a line too long");
  do { /* a ticket of TLS 1.3 is no data */
    n = server->tls != NULL
            ? gnutls_record_recv (server->tls, server->in + server->end, SIZE - server->end)
            : read (server->fd, server->in + server->end, SIZE - server->end);
  } while (server->tls != NULL && n < 0 && !gnutls_error_is_fatal ((int)n));
  if (n <= 0)
    return 0;
  server->end += (size_t)n;
  return 1;
}

/* The next line, ended by NUL instead of its CRLF; NULL at the end. */
static char *
line (Server *server)
{
  size_t looked = 0;

  for (;;) {
    char *from = server->in + server->start;
    char *newline = memchr (from + looked, '\n', server->end - server->start - looked);

    if (newline != NULL) {
      server->start = (size_t)(newline - server->in) + 1;
      newline[newline > from && newline[-1] == '\r' ? -1 : 0] = '\0';
      return from;
    }
    looked = server->end - server->start;
    if (!fill (server))
      return NULL;
  }
}

static void
take_line (Server *server, const char *text)
{
  if (strncmp (text, "t ", 2) != 0)
    return;
  server->answered++;
  if (strncmp (text, "t OK", 4) != 0)
    die (text);
}

static void
settle (Server *server)
{
  char *text;

  flush (server);
  while (server->answered < server->sent) {
    if ((text = line (server)) == NULL)
      die ("the server hung up");
    take_line (server, text);
  }
}

static void
start_tls (Server *server)
{
  gnutls_certificate_credentials_t credentials;

  if (gnutls_certificate_allocate_credentials (&credentials) != 0 ||
      gnutls_init (&server->tls, GNUTLS_CLIENT) != 0 ||
      gnutls_set_default_priority (server->tls) != 0 ||
      gnutls_credentials_set (server->tls, GNUTLS_CRD_CERTIFICATE, credentials) != 0)
    die ("no TLS");
  gnutls_transport_set_int (server->tls, server->fd);
  if (gnutls_handshake (server->tls) != 0)
    die ("no handshake");
}

/* Connects; the login's answer is still to come. */
static Server *
join (const char *where)
{
  Server *server = calloc (1, sizeof *server);
  struct sockaddr_in address = {.sin_family = AF_INET};
  int tls = *where == '+';
  const char *user;

  where += tls;
  if ((user = strchr (where, ':')) == NULL)
    die ("PORT:USER");
  address.sin_port = htons ((unsigned short)atoi (where));
  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  server->fd = socket (AF_INET, SOCK_STREAM, 0);
  if (connect (server->fd, (struct sockaddr *)&address, sizeof address) != 0)
    die (strerror (errno));
  setsockopt (server->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof (int));
  if (tls)
    start_tls (server);
  say (server, "t LOGIN %s pass\r\n", user + 1);
  server->sent++;
  return server;
}

static void
greet (Server *server)
{
  if (line (server) == NULL)
    die ("no greeting");
  settle (server);
}

/* \Recent belongs to the server. */
static void
without_recent (char *flags)
{
  char *at = strstr (flags, "\\Recent");

  if (at == NULL)
    return;
  if (at > flags && at[-1] == ' ')
    memmove (at - 1, at + 7, strlen (at + 7) + 1);
  else
    memmove (at, at + (at[7] == ' ' ? 8 : 7), strlen (at + (at[7] == ' ' ? 8 : 7)) + 1);
}

static void
pipe_body (Server *from, Server *to, size_t size)
{
  while (size > 0) {
    size_t there = from->end - from->start, part = there < size ? there : size;

    put (to, from->in + from->start, part);
    from->start += part;
    size -= part;
    if (size > 0 && !fill (from))
      die ("the server hung up in a body");
  }
}

/* * 1 FETCH (UID 1 FLAGS (...) INTERNALDATE "..." BODY[] {n} */
static void
pipe_message (Server *from, Server *to, const char *text, const char *mailbox, int first)
{
  const char *flags = strstr (text, "FLAGS ("), *date = strstr (text, "INTERNALDATE \"");
  const char *literal = strrchr (text, '{');
  char kept[1024];
  size_t size;

  if (flags == NULL || date == NULL || literal == NULL)
    die (text);
  size = strtoul (literal + 1, NULL, 10);
  snprintf (kept, sizeof kept, "%.*s", (int)strcspn (flags + 7, ")"), flags + 7);
  without_recent (kept);
  if (first) {
    say (to, "t APPEND %s", mailbox);
    to->sent++;
  }
  say (to, " (%s) \"%.*s\" {%zu+}\r\n", kept, (int)strcspn (date + 14, "\""), date + 14, size);
  pipe_body (from, to, size);
}

static void
copy (Server *from, Server *to, char **mailboxes)
{
  for (char **mailbox = mailboxes; *mailbox != NULL; mailbox++) {
    say (from, "t SELECT %s\r\nt UID FETCH 1:4294967295 (UID FLAGS INTERNALDATE BODY.PEEK[])\r\n",
         *mailbox);
    from->sent += 2;
    if (strcmp (*mailbox, "INBOX") == 0)
      continue;
    say (to, "t CREATE %s\r\nt SUBSCRIBE %s\r\n", *mailbox, *mailbox);
    to->sent += 2;
  }
  flush (from);
  for (char **mailbox = mailboxes; *mailbox != NULL; mailbox++) {
    unsigned end = from->answered + 2;
    int first = 1;

    while (from->answered < end) {
      char *text = line (from);

      if (text == NULL)
        die ("the server hung up");
      if (strstr (text, " FETCH (UID") != NULL && text[strlen (text) - 1] == '}') {
        pipe_message (from, to, text, *mailbox, first);
        first = 0;
      } else {
        take_line (from, text);
      }
    }
    if (!first)
      put (to, "\r\n", 2);
    flush (to);
  }
}

static void
run_script (const char *path, Server *servers[2])
{
  FILE *file = fopen (path, "r");
  char *text = NULL;
  size_t size = 0;

  if (file == NULL)
    die (strerror (errno));
  while (getline (&text, &size, file) > 0) {
    text[strcspn (text, "\n")] = '\0';
    if (strcmp (text, "wait") == 0) {
      flush (servers[0]);
      flush (servers[1]);
      settle (servers[0]);
      settle (servers[1]);
    } else {
      Server *server = servers[text[0] == '1'];

      say (server, "t %s\r\n", text + 2);
      server->sent++;
    }
  }
  free (text);
  fclose (file);
}

int
main (int argc, char **argv)
{
  Server *servers[2];
  int script = argc > 1 && strcmp (argv[1], "script") == 0;

  if (argc < 5)
    die ("usage: copy FROM TO MAILBOX... | script FILE A B");
  servers[0] = join (argv[script ? 3 : 2]);
  servers[1] = join (argv[script ? 4 : 3]);
  flush (servers[0]);
  flush (servers[1]);
  greet (servers[0]);
  greet (servers[1]);
  if (script)
    run_script (argv[2], servers);
  else
    copy (servers[0], servers[1], argv + 4);
  for (int i = 0; i < 2; i++) {
    settle (servers[i]);
    say (servers[i], "t LOGOUT\r\n");
    servers[i]->sent++;
    flush (servers[i]);
  }
  settle (servers[0]);
  settle (servers[1]);
  return 0;
}
