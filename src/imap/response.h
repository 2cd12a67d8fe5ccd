/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "imap/uid-set.h"

G_BEGIN_DECLS

/* Responses (RFC 9051, section 7) as plain records, made by the parser. All strings, sets and
 * arrays in one are owned by the parser and valid until it is fed again. What a response cannot be
 * is checked before anybody sees it: numbers are in range, sets are well-formed, strings hold no
 * NUL. */

typedef enum {
  IMAP_RESPONSE_CONTINUATION, /* "+": text */
  IMAP_RESPONSE_OK,           /* tagged or not, as are NO and BAD: code, text */
  IMAP_RESPONSE_NO,
  IMAP_RESPONSE_BAD,
  IMAP_RESPONSE_PREAUTH,
  IMAP_RESPONSE_BYE,
  IMAP_RESPONSE_CAPABILITY, /* words */
  IMAP_RESPONSE_ENABLED,    /* words */
  IMAP_RESPONSE_FLAGS,      /* words */
  IMAP_RESPONSE_LIST,       /* list */
  IMAP_RESPONSE_STATUS,     /* status */
  IMAP_RESPONSE_NAMESPACE,  /* namespace */
  IMAP_RESPONSE_EXISTS,     /* number */
  IMAP_RESPONSE_RECENT,     /* number */
  IMAP_RESPONSE_EXPUNGE,    /* number */
  IMAP_RESPONSE_FETCH,      /* fetch */
  IMAP_RESPONSE_VANISHED,   /* vanished */
  IMAP_RESPONSE_SEARCH,     /* numbers are dropped: we ask for ESEARCH */
  IMAP_RESPONSE_ESEARCH,    /* esearch */
  /* Nothing that we use (ID, QUOTA, ...), well-formed or not: upper-case name in text. Of ID, where
   * it can be read, words: field, value, field, ...; "" for NIL. */
  IMAP_RESPONSE_OTHER,
} ImapResponseType;

typedef enum {
  IMAP_CODE_NONE,
  IMAP_CODE_ALERT,
  IMAP_CODE_ALREADYEXISTS,
  IMAP_CODE_APPENDUID, /* number: UIDVALIDITY; uids[0]: the new UIDs */
  IMAP_CODE_AUTHENTICATIONFAILED,
  IMAP_CODE_AUTHORIZATIONFAILED,
  IMAP_CODE_BADEVENT,
  IMAP_CODE_CANNOT,
  IMAP_CODE_CAPABILITY, /* words */
  IMAP_CODE_CLIENTBUG,
  IMAP_CODE_CLOSED,
  IMAP_CODE_CONTACTADMIN,
  IMAP_CODE_COPYUID, /* number: UIDVALIDITY; uids[0]: from; uids[1]: to */
  IMAP_CODE_EXPIRED,
  IMAP_CODE_HASCHILDREN,
  IMAP_CODE_HIGHESTMODSEQ, /* number */
  IMAP_CODE_INUSE,
  IMAP_CODE_LIMIT,
  IMAP_CODE_MAILBOXID, /* id */
  IMAP_CODE_MODIFIED,  /* set */
  IMAP_CODE_NOMODSEQ,
  IMAP_CODE_NONEXISTENT,
  IMAP_CODE_NOPERM,
  IMAP_CODE_NOTIFICATIONOVERFLOW,
  IMAP_CODE_OVERQUOTA,
  IMAP_CODE_PERMANENTFLAGS, /* words, "\*" among them */
  IMAP_CODE_READ_ONLY,
  IMAP_CODE_READ_WRITE,
  IMAP_CODE_SERVERBUG,
  IMAP_CODE_TOOBIG,
  IMAP_CODE_TRYCREATE,
  IMAP_CODE_UIDNEXT, /* number, 1 to 2^32-1 */
  IMAP_CODE_UIDNOTSTICKY,
  IMAP_CODE_UIDVALIDITY, /* number, 1 to 2^32-1 */
  IMAP_CODE_UNAVAILABLE,
  IMAP_CODE_UNKNOWN, /* name */
} ImapCodeType;

typedef struct {
  ImapCodeType type;
  const char *name; /* as sent, upper case; NULL for NONE */
  guint64 number;
  const UidSet *set;
  const char *uids[2]; /* text: uid_list_parse() with the count that was asked for */
  const char *id;
} ImapCode;

typedef enum {
  IMAP_LIST_NOSELECT = 1 << 0, /* also set by \NonExistent */
  IMAP_LIST_NONEXISTENT = 1 << 1,
  IMAP_LIST_NOINFERIORS = 1 << 2,
  IMAP_LIST_HASCHILDREN = 1 << 3,
  IMAP_LIST_HASNOCHILDREN = 1 << 4,
  IMAP_LIST_SUBSCRIBED = 1 << 5,
  IMAP_LIST_REMOTE = 1 << 6,
} ImapListFlags;

typedef struct {
  ImapListFlags flags;
  char delimiter;      /* 0 for NIL */
  const char *mailbox; /* as on the wire, unquoted */
  const char *oldname; /* OLDNAME of RFC 5465, or NULL */
} ImapList;

typedef enum {
  IMAP_STATUS_MESSAGES = 1 << 0,
  IMAP_STATUS_UIDNEXT = 1 << 1,
  IMAP_STATUS_UIDVALIDITY = 1 << 2,
  IMAP_STATUS_HIGHESTMODSEQ = 1 << 3,
  IMAP_STATUS_UNSEEN = 1 << 4,
  IMAP_STATUS_MAILBOXID = 1 << 5,
  IMAP_STATUS_SIZE = 1 << 6, /* RFC 8438 */
} ImapStatusItems;

typedef struct {
  const char *mailbox;
  ImapStatusItems items; /* which of the following were there */
  guint32 messages;
  guint32 uidnext;
  guint32 uidvalidity;
  guint32 unseen;
  guint64 highestmodseq;
  guint64 size; /* bytes of all messages */
  const char *mailboxid;
} ImapStatus;

typedef struct {
  const char *prefix;
  char delimiter; /* 0 for NIL */
  gboolean shared;
} ImapOtherNamespace;

typedef struct {
  const char *prefix; /* of the first personal namespace; "" for none */
  char delimiter;     /* 0 for NIL */
  const ImapOtherNamespace *others;
  gsize n_others;
} ImapNamespace;

typedef enum {
  IMAP_FETCH_FLAGS = 1 << 0,
  IMAP_FETCH_MODSEQ = 1 << 1,
  IMAP_FETCH_INTERNALDATE = 1 << 2,
  IMAP_FETCH_SIZE = 1 << 3,
  IMAP_FETCH_GUID = 1 << 4,   /* X-GUID, or EMAILID of RFC 8474 */
  IMAP_FETCH_HEADER = 1 << 5, /* BODY[HEADER...] or any section but the whole: kept in memory */
  IMAP_FETCH_BODY = 1 << 6,   /* BODY[] was there; its bytes went by as pieces */
  IMAP_FETCH_NIL = 1 << 7,    /* BODY[] NIL: the server cannot give the message */
  IMAP_FETCH_BINARY = 1 << 8, /* BODY[] came as literal8: it may hold NUL (RFC 3516) */
} ImapFetchItems;

typedef struct {
  guint32 seq;
  guint32 uid; /* 0 when not among the items */
  ImapFetchItems items;
  const char *const *flags; /* n_flags strings; \Recent as any other */
  gsize n_flags;
  guint64 modseq;
  gint64 internaldate; /* seconds since 1970, UTC */
  guint64 size;        /* RFC822.SIZE, bytes */
  const char *guid;
  const guint8 *header;
  gsize header_length;
} ImapFetch;

typedef struct {
  gboolean earlier;
  const UidSet *uids;
} ImapVanished;

typedef struct {
  const char *tag; /* of the command it answers, or NULL */
  gboolean uid;
  const UidSet *all; /* empty when ALL was not there */
  guint64 count;     /* G_MAXUINT64 when COUNT was not there */
  guint64 modseq;
} ImapESearch;

typedef struct {
  ImapResponseType type;
  const char *tag;  /* NULL for untagged and continuation */
  ImapCode code;    /* of OK, NO, BAD, PREAUTH, BYE */
  const char *text; /* human-readable; the data of a continuation; escaped, valid UTF-8 */
  const char *const *words;
  gsize n_words;
  guint32 number;
  union {
    ImapList list;
    ImapStatus status;
    ImapNamespace namespace;
    ImapFetch fetch;
    ImapVanished vanished;
    ImapESearch esearch;
  };
} ImapResponse;

G_END_DECLS
