/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "icons.h"

#include <gio/gio.h>
#include <string.h>

/* Most panels take an icon by its name. For the others the same SVG files, which are part of the
 * program, are drawn here: a few filled polygons need no renderer of all of SVG. */

enum {
  GRID = 16,   /* units of the drawings */
  SAMPLES = 4, /* per pixel and direction */
  CURVE_STEPS = 8,
};

static const guint pixmap_sizes[] = {22, 44};

static const struct {
  const char *name;
  guint32 color; /* in the middle between a dark and a light panel */
} icons[] = {
    [MOOD_IN_SYNC] = {APPLET_ID "-in-sync-symbolic", 0x5b8bc9},
    [MOOD_SYNCING] = {APPLET_ID "-syncing-symbolic", 0x5b8bc9},
    [MOOD_PAUSED] = {APPLET_ID "-paused-symbolic", 0x8a8f98},
    [MOOD_OFFLINE] = {APPLET_ID "-offline-symbolic", 0x8a8f98},
    [MOOD_ATTENTION] = {APPLET_ID "-attention-symbolic", 0xe08a1e},
};

const char *
icon_name (Mood mood)
{
  return icons[mood].name;
}

static gboolean
is_looked_for (const char *folder)
{
  return g_str_equal (folder, g_get_user_data_dir ()) ||
         g_strv_contains (g_get_system_data_dirs (), folder);
}

const char *
icon_theme_path (void)
{
  gboolean installed =
      g_file_test (DATADIR "/icons/hicolor/scalable/apps/" APPLET_ID ".svg", G_FILE_TEST_EXISTS);

  return installed && !is_looked_for (DATADIR) ? DATADIR "/icons" : "";
}

/* --- paths ----------------------------------------------------------------------------------- */

char *
icon_path_data (const char *svg)
{
  GString *all = g_string_new (NULL);
  const char *at = svg;

  while ((at = strstr (at, " d=\"")) != NULL) {
    const char *end = strchr (at + 4, '"');

    if (end == NULL)
      break;
    g_string_append_len (all, at + 4, end - at - 4);
    g_string_append_c (all, ' ');
    at = end;
  }
  return g_string_free (all, FALSE);
}

typedef struct {
  double x, y;
} Point;

typedef struct {
  Point from, to;
} Edge;

typedef struct {
  GArray *edges; /* Edge */
  Point start, at;
} Outline;

static void
line_to (Outline *outline, Point to)
{
  Edge edge = {outline->at, to};

  g_array_append_val (outline->edges, edge);
  outline->at = to;
}

static void
curve_to (Outline *outline, const double *c)
{
  Point from = outline->at;

  for (guint i = 1; i <= CURVE_STEPS; i++) {
    double t = (double)i / CURVE_STEPS, u = 1 - t;
    double a = u * u * u, b = 3 * u * u * t, d = 3 * u * t * t, e = t * t * t;

    line_to (outline, (Point){a * from.x + b * c[0] + d * c[2] + e * c[4],
                              a * from.y + b * c[1] + d * c[3] + e * c[5]});
  }
}

static gboolean
read_numbers (const char **at, double *numbers, guint n)
{
  for (guint i = 0; i < n; i++) {
    char *end;

    *at += strspn (*at, " ,\n\t");
    numbers[i] = g_ascii_strtod (*at, &end);
    if (end == *at)
      return FALSE;
    *at = end;
  }
  return TRUE;
}

/* One command with its numbers, which may follow it more than once. */
static gboolean
read_command (Outline *outline, char command, const char **at)
{
  double n[6];

  switch (command) {
  case 'M':
    if (!read_numbers (at, n, 2))
      return FALSE;
    outline->start = outline->at = (Point){n[0], n[1]};
    return TRUE;
  case 'L':
    if (!read_numbers (at, n, 2))
      return FALSE;
    line_to (outline, (Point){n[0], n[1]});
    return TRUE;
  case 'H':
    if (!read_numbers (at, n, 1))
      return FALSE;
    line_to (outline, (Point){n[0], outline->at.y});
    return TRUE;
  case 'V':
    if (!read_numbers (at, n, 1))
      return FALSE;
    line_to (outline, (Point){outline->at.x, n[0]});
    return TRUE;
  case 'C':
    if (!read_numbers (at, n, 6))
      return FALSE;
    curve_to (outline, n);
    return TRUE;
  case 'Z':
    line_to (outline, outline->start);
    return TRUE;
  default:
    return FALSE;
  }
}

static gboolean
read_outline (Outline *outline, const char *data)
{
  const char *at = data + strspn (data, " ,\n\t");
  char command = 0;

  while (*at != '\0') {
    if (g_ascii_isalpha (*at))
      command = *at++;
    else if (command == 'Z')
      return FALSE;
    if (!read_command (outline, command, &at))
      return FALSE;
    if (command == 'M')
      command = 'L'; /* what follows without a letter */
    at += strspn (at, " ,\n\t");
  }
  return TRUE;
}

/* --- pixels ---------------------------------------------------------------------------------- */

static gboolean
is_inside (const GArray *edges, double x, double y)
{
  gboolean inside = FALSE;

  for (guint i = 0; i < edges->len; i++) {
    const Edge *e = &g_array_index (edges, Edge, i);

    if ((e->from.y > y) != (e->to.y > y) &&
        x < e->from.x + (y - e->from.y) * (e->to.x - e->from.x) / (e->to.y - e->from.y))
      inside = !inside;
  }
  return inside;
}

static guint8
cover (const GArray *edges, guint column, guint row, double scale)
{
  guint hits = 0;

  for (guint i = 0; i < SAMPLES * SAMPLES; i++) {
    double x = column + (i % SAMPLES + 0.5) / SAMPLES;
    double y = row + (i / SAMPLES + 0.5) / SAMPLES;

    hits += is_inside (edges, x * scale, y * scale);
  }
  return (guint8)(hits * 255 / (SAMPLES * SAMPLES));
}

guint8 *
icon_draw (const char *data, guint size)
{
  g_autoptr (GArray) edges = g_array_new (FALSE, FALSE, sizeof (Edge));
  Outline outline = {.edges = edges};
  guint8 *coverage;

  if (!read_outline (&outline, data))
    return NULL;
  coverage = g_malloc (size * size);
  for (guint i = 0; i < size * size; i++)
    coverage[i] = cover (edges, i % size, i / size, (double)GRID / size);
  return coverage;
}

static GVariant *
draw_pixmap (const char *data, guint size, guint32 color)
{
  g_autofree guint8 *coverage = icon_draw (data, size);
  g_autofree guint8 *pixels = g_malloc0 (size * size * 4);

  for (guint i = 0; coverage != NULL && i < size * size; i++) {
    pixels[4 * i] = coverage[i]; /* ARGB, in the order of the network */
    pixels[4 * i + 1] = (guint8)(color >> 16);
    pixels[4 * i + 2] = (guint8)(color >> 8);
    pixels[4 * i + 3] = (guint8)color;
  }
  return g_variant_new (
      "(ii@ay)", (gint)size, (gint)size,
      g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, pixels, size * size * 4, 1));
}

GVariant *
icon_pixmaps (Mood mood)
{
  g_autofree char *path = g_strconcat ("/org/imapsync/Applet/", icons[mood].name, ".svg", NULL);
  g_autoptr (GBytes) svg = g_resources_lookup_data (path, G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
  g_autofree char *text = NULL;
  g_autofree char *data = NULL;
  GVariantBuilder list;

  g_variant_builder_init (&list, G_VARIANT_TYPE ("a(iiay)"));
  if (svg != NULL) {
    text = g_strndup (g_bytes_get_data (svg, NULL), g_bytes_get_size (svg));
    data = icon_path_data (text);
    for (guint i = 0; i < G_N_ELEMENTS (pixmap_sizes); i++)
      g_variant_builder_add_value (&list, draw_pixmap (data, pixmap_sizes[i], icons[mood].color));
  }
  return g_variant_builder_end (&list);
}
