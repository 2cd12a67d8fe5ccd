/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "imap/tunnel.h"

#include "errors.h"

#include <fcntl.h>
#include <gio/gunixinputstream.h>
#include <gio/gunixoutputstream.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define AWAIT_END_MS 1000
#define GRACE_MS     3000 /* after the end of its input; then SIGTERM, as long again, SIGKILL */
#define MAX_LINE     500

struct _Tunnel {
  GMainContext *context;
  GSubprocess *process;
  pid_t group; /* of the process, a leader */
  GIOStream *stream;

  GPollableInputStream *stderr_stream;
  GSource *stderr_source;
  GString *line;   /* of standard error, as far as it goes */
  char *last_line; /* the last whole one that is not empty */

  gboolean ended;
  TunnelEnded callback;
  gpointer callback_data;
  GSource *timer;
  gboolean closed;
  int next_signal;
};

/* A tunnel that asks for a passphrase must not stop in the background of our terminal, and all of
 * it has to be reached by one signal. */
static void
child_setup (gpointer data)
{
  (void)setsid ();
}

static void
finish_line (Tunnel *tunnel)
{
  g_autofree char *text = NULL;

  g_strchomp (tunnel->line->str);
  if (tunnel->line->str[0] != '\0') {
    text = g_utf8_make_valid (tunnel->line->str, -1);
    for (char *p = text; *p != '\0'; p++)
      if (g_ascii_iscntrl (*p))
        *p = ' ';
    g_debug ("tunnel: %s", text);
    g_free (tunnel->last_line);
    tunnel->last_line = g_steal_pointer (&text);
  }
  g_string_truncate (tunnel->line, 0);
}

static void
add_stderr (Tunnel *tunnel, const char *bytes, gsize length)
{
  for (gsize i = 0; i < length; i++) {
    if (bytes[i] == '\n')
      finish_line (tunnel);
    else if (bytes[i] != '\0' && tunnel->line->len < MAX_LINE)
      g_string_append_c (tunnel->line, bytes[i]);
  }
}

/* FALSE at the end of the file. */
static gboolean
drain_stderr (Tunnel *tunnel)
{
  char buffer[4096];

  for (int i = 0; i < 16; i++) {
    g_autoptr (GError) error = NULL;
    gssize n = g_pollable_input_stream_read_nonblocking (tunnel->stderr_stream, buffer,
                                                         sizeof buffer, NULL, &error);

    if (n < 0 && g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
      return TRUE;
    if (n <= 0)
      return FALSE;
    add_stderr (tunnel, buffer, n);
  }
  return TRUE;
}

static gboolean
on_stderr (GObject *stream, gpointer data)
{
  Tunnel *tunnel = data;

  if (drain_stderr (tunnel))
    return G_SOURCE_CONTINUE;
  g_clear_pointer (&tunnel->stderr_source, g_source_unref);
  return G_SOURCE_REMOVE;
}

static void
clear_source (GSource **source)
{
  if (*source != NULL)
    g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

static void
tunnel_free (Tunnel *tunnel)
{
  clear_source (&tunnel->timer);
  clear_source (&tunnel->stderr_source);
  g_clear_object (&tunnel->stream);
  g_clear_object (&tunnel->process);
  g_string_free (tunnel->line, TRUE);
  g_free (tunnel->last_line);
  g_main_context_unref (tunnel->context);
  g_free (tunnel);
}

static void
set_timer (Tunnel *tunnel, guint milliseconds, GSourceFunc function)
{
  clear_source (&tunnel->timer);
  tunnel->timer = g_timeout_source_new (milliseconds);
  g_source_set_callback (tunnel->timer, function, tunnel, NULL);
  g_source_attach (tunnel->timer, tunnel->context);
}

static void
tell_end (Tunnel *tunnel)
{
  TunnelEnded callback = g_steal_pointer (&tunnel->callback);

  clear_source (&tunnel->timer);
  if (tunnel->stderr_source != NULL)
    drain_stderr (tunnel);
  finish_line (tunnel);
  if (callback != NULL)
    callback (tunnel->callback_data);
}

static void
on_ended (GObject *process, GAsyncResult *result, gpointer data)
{
  Tunnel *tunnel = data;

  g_subprocess_wait_finish (G_SUBPROCESS (process), result, NULL);
  tunnel->ended = TRUE;
  if (tunnel->closed && tunnel->next_signal == SIGTERM)
    tunnel_free (tunnel);
  else if (tunnel->callback != NULL)
    tell_end (tunnel);
}

static gboolean
set_nonblocking (GObject *stream)
{
  int fd = G_IS_UNIX_INPUT_STREAM (stream)
               ? g_unix_input_stream_get_fd (G_UNIX_INPUT_STREAM (stream))
               : g_unix_output_stream_get_fd (G_UNIX_OUTPUT_STREAM (stream));

  return g_unix_set_fd_nonblocking (fd, TRUE, NULL);
}

static GIOStream *
stream_of_pipes (GSubprocess *process)
{
  GInputStream *input = g_subprocess_get_stdout_pipe (process);
  GOutputStream *output = g_subprocess_get_stdin_pipe (process);

  set_nonblocking (G_OBJECT (input));
  set_nonblocking (G_OBJECT (output));
  return g_simple_io_stream_new (input, output);
}

/* Our end of a socket pair, the other one as the command's standard input and output. */
static GIOStream *
stream_of_socket (GSubprocessLauncher *launcher, GError **error)
{
  g_autoptr (GSocket) socket = NULL;
  int fds[2];

  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
    g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), "socketpair: %s",
                 g_strerror (errno));
    return NULL;
  }
  g_subprocess_launcher_take_stdin_fd (launcher, fds[1]);
  g_subprocess_launcher_take_stdout_fd (launcher, fcntl (fds[1], F_DUPFD_CLOEXEC, 3));
  socket = g_socket_new_from_fd (fds[0], error);
  if (socket == NULL) {
    close (fds[0]);
    return NULL;
  }
  return G_IO_STREAM (g_socket_connection_factory_create_connection (socket));
}

static void
watch (Tunnel *tunnel)
{
  tunnel->stderr_stream = G_POLLABLE_INPUT_STREAM (g_subprocess_get_stderr_pipe (tunnel->process));
  set_nonblocking (G_OBJECT (tunnel->stderr_stream));
  tunnel->stderr_source = g_pollable_input_stream_create_source (tunnel->stderr_stream, NULL);
  g_source_set_callback (tunnel->stderr_source, G_SOURCE_FUNC (on_stderr), tunnel, NULL);
  g_source_attach (tunnel->stderr_source, tunnel->context);
  g_subprocess_wait_async (tunnel->process, NULL, on_ended, tunnel);
}

Tunnel *
tunnel_start (const char *command, gboolean pipes, GError **error)
{
  GSubprocessFlags flags = G_SUBPROCESS_FLAGS_STDERR_PIPE;
  g_autoptr (GSubprocessLauncher) launcher = NULL;
  g_autoptr (GSubprocess) process = NULL;
  g_autoptr (GIOStream) stream = NULL;
  g_autoptr (GError) local = NULL;
  const char *pid;
  Tunnel *tunnel;

  if (pipes)
    flags |= G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE;
  launcher = g_subprocess_launcher_new (flags);
  g_subprocess_launcher_set_child_setup (launcher, child_setup, NULL, NULL);
  if (pipes || (stream = stream_of_socket (launcher, &local)) != NULL)
    process = g_subprocess_launcher_spawn (launcher, &local, "/bin/sh", "-c", command, NULL);
  g_subprocess_launcher_close (launcher);
  if (process == NULL) {
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_REFUSED,
                 "The tunnel command \"%s\" cannot be started: %s", command, local->message);
    return NULL;
  }

  tunnel = g_new0 (Tunnel, 1);
  tunnel->context = g_main_context_ref_thread_default ();
  tunnel->stream = pipes ? stream_of_pipes (process) : g_steal_pointer (&stream);
  pid = g_subprocess_get_identifier (process); /* NULL: over already */
  tunnel->group = pid != NULL ? g_ascii_strtoll (pid, NULL, 10) : 0;
  tunnel->process = g_steal_pointer (&process);
  tunnel->line = g_string_new (NULL);
  watch (tunnel);
  return tunnel;
}

GIOStream *
tunnel_stream (Tunnel *tunnel)
{
  return tunnel->stream;
}

static gboolean
on_await_timeout (gpointer data)
{
  tell_end (data);
  return G_SOURCE_REMOVE;
}

void
tunnel_await_end (Tunnel *tunnel, TunnelEnded callback, gpointer data)
{
  tunnel->callback = callback;
  tunnel->callback_data = data;
  set_timer (tunnel, tunnel->ended ? 0 : AWAIT_END_MS, on_await_timeout);
}

char *
tunnel_describe_end (Tunnel *tunnel)
{
  GString *text = g_string_new (NULL);

  if (!tunnel->ended)
    g_string_append (text, "closed its output");
  else if (g_subprocess_get_if_exited (tunnel->process))
    g_string_append_printf (text, "ended with status %d",
                            g_subprocess_get_exit_status (tunnel->process));
  else
    g_string_append_printf (text, "was ended by signal %d",
                            g_subprocess_get_term_sig (tunnel->process));
  if (tunnel->last_line != NULL)
    g_string_append_printf (text, ": %s", tunnel->last_line);
  return g_string_free (text, FALSE);
}

char *
tunnel_last_words (Tunnel *tunnel)
{
  if (tunnel->stderr_source != NULL)
    drain_stderr (tunnel);
  finish_line (tunnel);
  return g_strdup (tunnel->last_line);
}

gboolean
tunnel_not_found (Tunnel *tunnel)
{
  return tunnel->ended && g_subprocess_get_if_exited (tunnel->process) &&
         (g_subprocess_get_exit_status (tunnel->process) == 126 ||
          g_subprocess_get_exit_status (tunnel->process) == 127);
}

/* The whole group, as a shell may end before what it has started. Its number belongs to nobody else
 * as long as one of it is alive. */
static gboolean
on_overdue (gpointer data)
{
  Tunnel *tunnel = data;
  const int signal = tunnel->next_signal;

  g_debug ("tunnel: does not end, signal %d", signal);
  if (tunnel->group > 0)
    kill (-tunnel->group, signal);
  tunnel->next_signal = SIGKILL;
  if (signal != SIGKILL || !tunnel->ended)
    return G_SOURCE_CONTINUE;
  tunnel_free (tunnel);
  return G_SOURCE_REMOVE;
}

void
tunnel_close (Tunnel *tunnel)
{
  tunnel->callback = NULL;
  g_io_stream_close (tunnel->stream, NULL, NULL);
  if (tunnel->ended) {
    tunnel_free (tunnel);
    return;
  }
  tunnel->closed = TRUE;
  tunnel->next_signal = SIGTERM;
  set_timer (tunnel, GRACE_MS, on_overdue);
}
