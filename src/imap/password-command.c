/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "imap/password-command.h"

#include "errors.h"

#include <gio/gunixinputstream.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define MAX_OUTPUT 16384

struct _PasswordCommand {
  guint refs; /* its owner's and the wait's */
  GMainContext *context;
  GSubprocess *process; /* NULL: it did not start */
  pid_t group;
  GPollableInputStream *output;
  GSource *output_source;
  GSource *timer;
  guint seconds;
  GError *failure; /* of the start */
  PasswordCallback callback;
  gpointer data;
  gsize length;
  char text[MAX_OUTPUT + 1];
};

static void
clear_source (GSource **source)
{
  if (*source != NULL)
    g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

static void
command_unref (PasswordCommand *self)
{
  if (--self->refs > 0)
    return;
  g_clear_object (&self->process);
  g_clear_error (&self->failure);
  g_main_context_unref (self->context);
  explicit_bzero (self->text, sizeof self->text);
  g_free (self);
}

static void
finish (PasswordCommand *self, const char *secret, const GError *error)
{
  PasswordCallback callback = g_steal_pointer (&self->callback);

  clear_source (&self->output_source);
  clear_source (&self->timer);
  if (callback != NULL)
    callback (secret, error, self->data);
}

static void fail (PasswordCommand *self, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
fail (PasswordCommand *self, const char *format, ...)
{
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  error = g_error_new_literal (IMAPSYNC_ERROR, IMAPSYNC_ERROR_KEYRING, text);
  finish (self, NULL, error);
}

/* FALSE at the end. What is too long is read and not kept. */
static gboolean
read_output (PasswordCommand *self)
{
  char surplus[512];
  gssize n;

  do {
    gsize room = MAX_OUTPUT - self->length;

    n = g_pollable_input_stream_read_nonblocking (self->output,
                                                  room > 0 ? self->text + self->length : surplus,
                                                  room > 0 ? room : sizeof surplus, NULL, NULL);
    if (n > 0 && room > 0)
      self->length += n;
  } while (n > 0);
  explicit_bzero (surplus, sizeof surplus);
  return n != 0;
}

static gboolean
on_output (GObject *stream, gpointer data)
{
  PasswordCommand *self = data;

  if (read_output (self))
    return G_SOURCE_CONTINUE;
  g_clear_pointer (&self->output_source, g_source_unref);
  return G_SOURCE_REMOVE;
}

static void
deliver (PasswordCommand *self)
{
  char *end;

  (void)read_output (self);
  end = memchr (self->text, '\n', self->length);
  if (end == NULL && self->length == MAX_OUTPUT) {
    fail (self, "printed a line that is too long for a password");
    return;
  }
  if (end == NULL)
    end = self->text + self->length;
  if (end > self->text && end[-1] == '\r')
    end--;
  *end = '\0';
  if (end == self->text)
    fail (self, "printed no password on its first line");
  else if (strlen (self->text) != (gsize)(end - self->text))
    fail (self, "printed a NUL byte");
  else
    finish (self, self->text, NULL);
}

static void
on_ended (GObject *process, GAsyncResult *result, gpointer data)
{
  PasswordCommand *self = data;
  GSubprocess *ended = G_SUBPROCESS (process);

  g_subprocess_wait_finish (ended, result, NULL);
  self->group = 0;
  if (self->callback == NULL)
    ;
  else if (!g_subprocess_get_if_exited (ended))
    fail (self, "was ended by signal %d", g_subprocess_get_term_sig (ended));
  else if (g_subprocess_get_exit_status (ended) != 0)
    fail (self, "ended with status %d", g_subprocess_get_exit_status (ended));
  else
    deliver (self);
  command_unref (self);
}

static gboolean
on_deadline (gpointer data)
{
  PasswordCommand *self = data;

  if (self->failure != NULL)
    fail (self, "cannot be started: %s", self->failure->message);
  else
    fail (self, "did not end within %u seconds", self->seconds);
  return G_SOURCE_REMOVE;
}

static void
set_timer (PasswordCommand *self, guint milliseconds)
{
  self->timer = g_timeout_source_new (milliseconds);
  g_source_set_callback (self->timer, on_deadline, self, NULL);
  g_source_attach (self->timer, self->context);
}

/* Its own session: one signal reaches all that it started. */
static void
child_setup (gpointer data)
{
  (void)setsid ();
}

PasswordCommand *
password_command_start (const char *command, guint seconds, PasswordCallback callback,
                        gpointer data)
{
  PasswordCommand *self = g_new0 (PasswordCommand, 1);
  g_autoptr (GSubprocessLauncher) launcher =
      g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE);
  const char *pid;

  self->refs = 1;
  self->context = g_main_context_ref_thread_default ();
  self->seconds = seconds;
  self->callback = callback;
  self->data = data;
  g_subprocess_launcher_set_child_setup (launcher, child_setup, NULL, NULL);
  self->process =
      g_subprocess_launcher_spawn (launcher, &self->failure, "/bin/sh", "-c", command, NULL);
  set_timer (self, self->process != NULL ? seconds * 1000 : 0);
  if (self->process == NULL)
    return self;

  pid = g_subprocess_get_identifier (self->process); /* NULL: over already */
  self->group = pid != NULL ? g_ascii_strtoll (pid, NULL, 10) : 0;
  self->output = G_POLLABLE_INPUT_STREAM (g_subprocess_get_stdout_pipe (self->process));
  g_unix_set_fd_nonblocking (g_unix_input_stream_get_fd (G_UNIX_INPUT_STREAM (self->output)), TRUE,
                             NULL);
  self->output_source = g_pollable_input_stream_create_source (self->output, NULL);
  g_source_set_callback (self->output_source, G_SOURCE_FUNC (on_output), self, NULL);
  g_source_attach (self->output_source, self->context);
  self->refs++;
  g_subprocess_wait_async (self->process, NULL, on_ended, self);
  return self;
}

void
password_command_free (PasswordCommand *self)
{
  self->callback = NULL;
  clear_source (&self->output_source);
  clear_source (&self->timer);
  if (self->group > 0)
    kill (-self->group, SIGTERM);
  command_unref (self);
}
