/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "terminal.h"

#include "errors.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define MAX_SECRET 4096 /* a terminal gives no longer line */

static const int fatal_signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
static volatile sig_atomic_t caught;
static int wake[2] = {-1, -1};

/* It may come just before somebody waits, and in any thread: so it is told through a pipe. */
static void
on_signal (int number)
{
  int saved = errno;

  caught = number;
  if (write (wake[1], "", 1) < 0)
    caught = number;
  errno = saved;
}

static ssize_t
read_byte (char *c)
{
  struct pollfd input[] = {{STDIN_FILENO, POLLIN, 0}, {wake[0], POLLIN, 0}};

  if (wake[0] < 0)
    return read (STDIN_FILENO, c, 1);
  if (caught == 0 && poll (input, G_N_ELEMENTS (input), -1) < 0)
    return -1;
  if (caught != 0) {
    errno = EINTR;
    return -1;
  }
  return read (STDIN_FILENO, c, 1);
}

/* TRUE at the end of the line; FALSE with errno: nothing more comes, 0 for the end of the file. */
static gboolean
read_line (char *line, gsize size)
{
  gsize length = 0;

  for (;;) {
    char c;
    ssize_t n = read_byte (&c);

    if (n < 0)
      return FALSE;
    errno = 0;
    if (n == 0 && length == 0)
      return FALSE;
    if (n == 0 || c == '\n') {
      line[length] = '\0';
      return TRUE;
    }
    if (length + 1 == size) {
      errno = EMSGSIZE;
      return FALSE;
    }
    line[length++] = c == '\0' ? '\xff' : c; /* a NUL is no text either */
  }
}

static void
set_signals (struct sigaction *old)
{
  struct sigaction action = {.sa_handler = on_signal};

  sigemptyset (&action.sa_mask);
  for (gsize i = 0; i < G_N_ELEMENTS (fatal_signals); i++)
    sigaction (fatal_signals[i], &action, &old[i]);
}

static void
restore_signals (const struct sigaction *old)
{
  for (gsize i = 0; i < G_N_ELEMENTS (fatal_signals); i++)
    sigaction (fatal_signals[i], &old[i], NULL);
}

static void
print (const char *text)
{
  /* What cannot be shown can be typed all the same. */
  if (write (STDERR_FILENO, text, strlen (text)) < 0)
    return;
}

static void
close_pipe (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (wake); i++) {
    close (wake[i]);
    wake[i] = -1;
  }
}

/* One attempt; @caught says which signal ended it. */
static gboolean
ask_once (const char *prompt, const struct termios *shown, char *line, gsize size)
{
  struct sigaction old[G_N_ELEMENTS (fatal_signals)];
  struct termios hidden = *shown;
  gboolean ok;
  int saved;

  caught = 0;
  if (pipe2 (wake, O_CLOEXEC) != 0)
    return FALSE;
  set_signals (old);
  hidden.c_lflag &= ~(tcflag_t)ECHO;
  tcsetattr (STDIN_FILENO, TCSAFLUSH, &hidden);
  print (prompt);
  ok = read_line (line, size);
  saved = errno;
  tcsetattr (STDIN_FILENO, TCSAFLUSH, shown);
  print ("\n");
  restore_signals (old);
  close_pipe ();
  if (caught != 0)
    raise (caught);
  errno = saved;
  return ok;
}

static gboolean
ask_terminal (const char *prompt, const struct termios *shown, char *line, gsize size)
{
  gboolean ok;

  /* Stopped and continued, or a signal that somebody ignores: asked again. */
  do
    ok = ask_once (prompt, shown, line, size);
  while (!ok && errno == EINTR);
  return ok;
}

static Password *
fail (GError **error, const char *why)
{
  g_set_error_literal (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG, why);
  return NULL;
}

static Password *
check (const char *line, gboolean ok, GError **error)
{
  if (!ok && errno == EMSGSIZE)
    return fail (error, "what was given is too long for a password");
  if (!ok && errno != 0)
    return fail (error, g_strerror (errno));
  if (!ok || *line == '\0')
    return fail (error, "no password was given");
  if (!g_utf8_validate (line, -1, NULL))
    return fail (error, "what was given is no text in UTF-8");
  return password_new (line);
}

Password *
terminal_ask_secret (const char *prompt, GError **error)
{
  struct termios shown;
  char line[MAX_SECRET];
  Password *secret;
  gboolean ok;

  if (isatty (STDIN_FILENO) && tcgetattr (STDIN_FILENO, &shown) == 0)
    ok = ask_terminal (prompt, &shown, line, sizeof line);
  else
    ok = read_line (line, sizeof line);
  secret = check (line, ok, error);
  explicit_bzero (line, sizeof line);
  return secret;
}
