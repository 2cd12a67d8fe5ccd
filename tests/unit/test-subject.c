/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sync/subject.h"

#include <string.h>

typedef struct {
  const char *name;
  const char *header;
  const char *subject;
} Case;

static const Case cases[] = {
    {"plain", "Subject: Hello there\r\n\r\n", "Hello there"},
    {"none", "\r\n", ""},
    {"nothing", "", ""},
    {"empty", "Subject:\r\n\r\n", ""},
    {"any-case-and-other-fields", "X: Subject: no\r\nSUBJECT: yes\r\nY: z\r\n\r\n", "yes"},
    {"folded", "Subject: one\r\n  two\r\n\tthree\r\n\r\n", "one two three"},
    {"base64", "Subject: =?UTF-8?B?R3LDvMOfZQ==?= aus K=?iso-8859-1?q?=F6ln?=\r\n",
     "Grüße aus Köln"},
    {"q", "Subject: =?iso-8859-1?Q?a_b=3D=E4?=\r\n", "a b=ä"},
    {"neighbours", "Subject: =?utf-8?q?a?=\r\n =?utf-8?q?b?= c\r\n", "ab c"},
    {"cut-in-a-character", "Subject: =?utf-8?b?5pel?= =?utf-8?b?5g==?= =?utf-8?b?nKw=?=\r\n",
     "日本"},
    {"japanese", "Subject: =?ISO-2022-JP?B?GyRCRnxLXBsoQg==?=\r\n", "日本"},
    {"language", "Subject: =?us-ascii*en?Q?Keith_Moore?=\r\n", "Keith Moore"},
    {"unknown-charset", "Subject: =?x-none?Q?caf=E9?=\r\n", "caf\xef\xbf\xbd"},
    {"no-word", "Subject: =?utf-8?X?abc?= =?utf-8?Q?abc =? =?\r\n",
     "=?utf-8?X?abc?= =?utf-8?Q?abc =? =?"},
    {"utf-8-as-it-is", "Subject: Grüße\r\n", "Grüße"},
    {"no-utf-8", "Subject: caf\xe9\r\n", "caf\xef\xbf\xbd"},
    {"invisible", "Subject: a\x01\x1b[31m =?utf-8?q?=E2=80=AEb=00=0D=0Ac?=\r\n", "a[31m b"},
    {"path", "Subject: =?../../x?q?a?=\r\n", "=?../../x?q?a?="},
};

static void
test_case (gconstpointer data)
{
  const Case *c = data;
  g_autofree char *subject = sync_subject_text ((const guint8 *)c->header, strlen (c->header));

  g_assert_cmpstr (subject, ==, c->subject);
}

static void
test_long (void)
{
  g_autoptr (GString) header = g_string_new ("Subject: ");
  g_autofree char *subject = NULL;

  for (guint i = 0; i < 100000; i++)
    g_string_append (header, "ä");
  subject = sync_subject_text ((const guint8 *)header->str, header->len);
  g_assert_cmpint (g_utf8_strlen (subject, -1), ==, 201);
  g_assert_true (g_str_has_suffix (subject, "ä…"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *path = g_strdup_printf ("/subject/%s", cases[i].name);
    g_test_add_data_func (path, &cases[i], test_case);
  }
  g_test_add_func ("/subject/long", test_long);
  return g_test_run ();
}
