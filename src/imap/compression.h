/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* COMPRESS=DEFLATE (RFC 4978) on top of a connection that is read and written without blocking.
 * Its memory does not depend on what the peer sends: a read inflates no more than the caller has
 * room for. Errors are those of the streams, G_IO_ERROR_WOULD_BLOCK among them, and
 * G_IO_ERROR_INVALID_DATA for what is no DEFLATE. */
typedef struct _Compression Compression;

/* @received: what was read behind the answer to COMPRESS, compressed already. */
Compression *compression_new (GIOStream *stream, const void *received, gsize length);
void compression_free (Compression *compression);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Compression, compression_free)

gssize compression_read (Compression *compression, void *buffer, gsize length, GError **error);

/* All of @bytes or WOULD_BLOCK: then the very same bytes have to be offered again. Everything goes
 * out at once, so that one call should have all that is ready. */
gssize
compression_write (Compression *compression, const void *bytes, gsize length, GError **error);

/* Like the stream's own source for reading, but also ready for what was received and not read. */
GSource *compression_read_source (Compression *compression);

G_END_DECLS
