/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "imap/parser.h"

#include <string.h>

/* Between @min and @max digits. */
static gboolean
read_number (const char **text, guint min, guint max, guint *number)
{
  guint n = 0;

  *number = 0;
  for (; n < max && g_ascii_isdigit (**text); n++, (*text)++)
    *number = *number * 10 + (guint)(**text - '0');
  return n >= min;
}

static gboolean
read_char (const char **text, char c)
{
  if (**text != c)
    return FALSE;
  (*text)++;
  return TRUE;
}

static gboolean
read_month (const char **text, guint *month)
{
  static const char names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

  for (*month = 1; *month <= 12; (*month)++)
    if (!g_ascii_strncasecmp (*text, names[*month - 1], 3)) {
      *text += 3;
      return TRUE;
    }
  return FALSE;
}

static gboolean
read_date (const char **text, GDate *date)
{
  guint day, month, year;

  read_char (text, ' ');
  if (!read_number (text, 1, 2, &day) || !read_char (text, '-') || !read_month (text, &month) ||
      !read_char (text, '-') || !read_number (text, 4, 4, &year) ||
      !g_date_valid_dmy (day, (GDateMonth)month, year))
    return FALSE;
  g_date_clear (date, 1);
  g_date_set_dmy (date, day, (GDateMonth)month, year);
  return TRUE;
}

static gboolean
read_time (const char **text, gint64 *seconds)
{
  guint hour, minute, second;

  if (!read_number (text, 2, 2, &hour) || !read_char (text, ':') ||
      !read_number (text, 2, 2, &minute) || !read_char (text, ':') ||
      !read_number (text, 2, 2, &second))
    return FALSE;
  *seconds = hour * 3600 + minute * 60 + second;
  return hour < 24 && minute < 60 && second <= 60; /* a leap second */
}

static gboolean
read_zone (const char **text, gint64 *seconds)
{
  int sign = **text == '-' ? -1 : 1;
  guint number;

  if (!read_char (text, sign < 0 ? '-' : '+') || !read_number (text, 4, 4, &number))
    return FALSE;
  *seconds = sign * (gint64)(number / 100 * 3600 + number % 100 * 60);
  return number / 100 < 24 && number % 100 < 60;
}

gboolean
imap_parse_date_time (const char *text, gint64 *seconds)
{
  GDate date, epoch;
  gint64 time, zone;

  if (!read_date (&text, &date) || !read_char (&text, ' ') || !read_time (&text, &time) ||
      !read_char (&text, ' ') || !read_zone (&text, &zone) || *text != '\0')
    return FALSE;
  g_date_clear (&epoch, 1);
  g_date_set_dmy (&epoch, 1, G_DATE_JANUARY, 1970);
  *seconds = (gint64)g_date_days_between (&epoch, &date) * 86400 + time - zone;
  return TRUE;
}
