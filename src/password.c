/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "password.h"

#include <string.h>

struct _Password {
  gsize length;
  char text[];
};

Password *
password_new (const char *text)
{
  const gsize length = strlen (text);
  Password *password = g_atomic_rc_box_alloc (sizeof (Password) + length + 1);

  password->length = length;
  memcpy (password->text, text, length + 1);
  return password;
}

Password *
password_ref (Password *password)
{
  return password != NULL ? g_atomic_rc_box_acquire (password) : NULL;
}

static void
password_clear (gpointer data)
{
  Password *password = data;

  explicit_bzero (password->text, password->length);
}

void
password_unref (Password *password)
{
  if (password != NULL)
    g_atomic_rc_box_release_full (password, password_clear);
}

const char *
password_text (const Password *password)
{
  return password != NULL ? password->text : NULL;
}

gboolean
password_equal (const Password *a, const Password *b)
{
  return g_strcmp0 (password_text (a), password_text (b)) == 0;
}

void
secret_wipe (char *text)
{
  if (text != NULL)
    explicit_bzero (text, strlen (text));
  g_free (text);
}

void
secret_wipe_string (GString *text)
{
  explicit_bzero (text->str, text->allocated_len);
  g_string_free (text, TRUE);
}
