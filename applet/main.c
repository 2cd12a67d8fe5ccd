/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "applet.h"

#include <glib/gi18n.h>
#include <locale.h>
#include <stdlib.h>

int
main (int argc, char **argv)
{
  gboolean version = FALSE;
  const GOptionEntry entries[] = {
      {"version", 0, 0, G_OPTION_ARG_NONE, &version, N_ ("show the version"), NULL},
      {NULL},
  };
  g_autoptr (GOptionContext) options = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, LOCALEDIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);
  g_option_context_set_summary (
      options, _ ("Shows in the panel how imapsync is doing, and tells what needs attention."));
  g_option_context_add_main_entries (options, entries, GETTEXT_PACKAGE);
  if (!g_option_context_parse (options, &argc, &argv, &error)) {
    g_printerr ("imapsync-applet: %s\n", error->message);
    return 2;
  }
  if (version) {
    g_print ("imapsync-applet %s\n", PACKAGE_VERSION);
    return EXIT_SUCCESS;
  }
  return applet_run ();
}
