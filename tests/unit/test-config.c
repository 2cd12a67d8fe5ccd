/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "account-config.h"
#include "config-file.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#define SERVERS "[local]\ntype=tunnel\ncommand=imap\n[remote]\nhost=imap.example.org\n"
#define SHA256  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char *home; /* holds config/, data/ and ca/ */

static AccountConfig *
parse (const char *text)
{
  g_autoptr (GError) error = NULL;
  AccountConfig *config = account_config_parse ("/etc/x.conf", text, strlen (text), &error);

  if (config == NULL)
    g_test_message ("in:\n%s", text);
  g_assert_no_error (error);
  return config;
}

/* ---- errors ---- */

typedef struct {
  const char *name;
  const char *text;
  const char *error; /* behind "/etc/x.conf:" */
} Fault;

#define REMOTE(line) "[local]\ntype=tunnel\ncommand=imap\n[remote]\n" line "\n"

static const Fault faults[] = {
    /* names */
    {"option", REMOTE ("hst=a"), "5: unknown option \"hst\"; did you mean \"host\"?"},
    {"option-case", REMOTE ("starttls=NO"),
     "5: unknown option \"starttls\"; did you mean \"STARTTLS\"?"},
    {"option-abbreviated", REMOTE ("user=a"),
     "5: unknown option \"user\"; did you mean \"username\"?"},
    {"option-longer", REMOTE ("hostname=a"),
     "5: unknown option \"hostname\"; did you mean \"host\"?"},
    {"option-swapped", REMOTE ("prot=1"), "5: unknown option \"prot\"; did you mean \"port\"?"},
    {"option-interimap", REMOTE ("SSL_verfy=YES"),
     "5: unknown option \"SSL_verfy\"; did you mean \"SSL_verify\"?"},
    {"option-default-section", "\ndatabse=x\n" SERVERS,
     "2: unknown option \"databse\"; did you mean \"database\"?"},
    {"option-never-shows-its-value", REMOTE ("pasword=geheim"),
     "5: unknown option \"pasword\"; did you mean \"password\"?"},
    {"section", "[locl]\n", "1: unknown section \"locl\"; did you mean \"local\"?"},
    {"section-case", "[local]\n[Remote]\n",
     "2: unknown section \"Remote\"; did you mean \"remote\"?"},
    {"database-in-section", REMOTE ("database=x"),
     "5: database is the account's, not a server's: it has to stand before the first section"},
    /* values */
    {"type", REMOTE ("type=imps"),
     "5: type has to be imap, imaps, tunnel or store, not \"imps\"; did you mean \"imaps\"?"},
    {"boolean", REMOTE ("SSL_verify_trusted_peer=YSE"),
     "5: SSL_verify_trusted_peer has to be YES or NO, not \"YSE\"; did you mean \"YES\"?"},
    {"boolean-on", REMOTE ("SSL_verify_trusted_peer=on"),
     "5: SSL_verify_trusted_peer has to be YES or NO, not \"on\"; did you mean \"YES\"?"},
    {"boolean-false", REMOTE ("type=imap\nSTARTTLS=False"),
     "6: STARTTLS has to be YES or NO, not \"False\"; did you mean \"NO\"?"},
    {"mechanism", REMOTE ("auth=LOGIN PLANE"),
     "5: a mechanism of auth has to be PLAIN, LOGIN, SCRAM-SHA-256-PLUS, SCRAM-SHA-256, "
     "SCRAM-SHA-1-PLUS, SCRAM-SHA-1, EXTERNAL, OAUTHBEARER or XOAUTH2, not \"PLANE\"; did you "
     "mean \"PLAIN\"?"},
    {"mechanism-twice", REMOTE ("auth=LOGIN login"), "5: auth names LOGIN twice"},
    {"port-0", REMOTE ("port=0"), "5: port has to be a number from 1 to 65535, not \"0\""},
    {"port-65536", REMOTE ("port=65536"),
     "5: port has to be a number from 1 to 65535, not \"65536\""},
    {"port-name", REMOTE ("port=imaps"),
     "5: port has to be a number from 1 to 65535, not \"imaps\""},
    {"port-sign", REMOTE ("port=+993"), "5: port has to be a number from 1 to 65535, not \"+993\""},
    {"timeout-0", REMOTE ("timeout=0"), "5: timeout has to be a number from 1 to 86400, not \"0\""},
    {"timeout-86401", REMOTE ("timeout=86401"),
     "5: timeout has to be a number from 1 to 86400, not \"86401\""},
    {"host-slash", REMOTE ("host=../../x"), "5: host: \"../../x\" is no host's name"},
    {"host-quoted", REMOTE ("host='a'"), "5: host: \"'a'\" is no host's name"},
    {"host-blank", REMOTE ("host=a b"), "5: host: \"a b\" is no host's name"},
    {"host-url", REMOTE ("host=imaps://a"),
     "5: host: \"imaps://a\" is an address of the web, not a host's name"},
    {"host-port", REMOTE ("host=a.example.org:993"),
     "5: host: \"a.example.org:993\" is no IPv6 address; a port has an option of its own"},
    {"host-empty", REMOTE ("host="), "5: host has no value"},
    {"password-empty", REMOTE ("password= \t"), "5: password has no value"},
    {"fingerprint-algorithm", REMOTE ("SSL_fingerprint=sha257$" SHA256),
     "5: the algorithm of SSL_fingerprint has to be md5, sha1, sha256, sha512 or sha384, not "
     "\"sha257\"; did you mean \"sha256\"?"},
    {"fingerprint-hex", REMOTE ("SSL_fingerprint=sha1$xx23456789abcdef0123456789abcdef01234567"),
     "5: SSL_fingerprint: a sha1 digest is 40 hexadecimal digits, not "
     "\"xx23456789abcdef0123456789abcdef01234567\""},
    {"fingerprint-length", REMOTE ("SSL_fingerprint=sha1$0123"),
     "5: SSL_fingerprint: a sha1 digest is 40 hexadecimal digits, not \"0123\""},
    {"fingerprint-odd", REMOTE ("SSL_fingerprint=" SHA256 "0"),
     "5: SSL_fingerprint: a sha256 digest is 64 hexadecimal digits, not "
     "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab…\""},
    {"fingerprint-empty", REMOTE ("SSL_fingerprint=md5$"),
     "5: SSL_fingerprint: a md5 digest is 32 hexadecimal digits, not \"\""},
    {"fingerprint-colons", REMOTE ("SSL_fingerprint=md5$00:11:22"),
     "5: SSL_fingerprint: a md5 digest is 32 hexadecimal digits, not \"00:11:22\""},
    {"fingerprint-second", REMOTE ("SSL_fingerprint=" SHA256 " spki-sha256$12"),
     "5: SSL_fingerprint: a sha256 digest is 64 hexadecimal digits, not \"12\""},
    {"fingerprint-key", REMOTE ("SSL_fingerprint=spki-sha257$" SHA256),
     "5: the algorithm of SSL_fingerprint has to be md5, sha1, sha256, sha512 or sha384, not "
     "\"sha257\"; did you mean \"sha256\"?"},
    {"protocol", REMOTE ("SSL_protocol_min=TLSv1"),
     "5: SSL_protocol_min has to be TLSv1.2 or TLSv1.3, not \"TLSv1\"; did you mean "
     "\"TLSv1.2\"?"},
    {"protocol-order", REMOTE ("SSL_protocol_min=TLSv1.3\nSSL_protocol_max=TLSv1.2"),
     "4: [remote]: SSL_protocol_min is above SSL_protocol_max"},
    {"proxy", REMOTE ("proxy=ftp://user:geheim@proxy"),
     "5: proxy has to be socks5://HOST:PORT, socks5h://HOST:PORT or http://HOST:PORT"},
    {"proxy-rest", REMOTE ("proxy=socks5://proxy/path"),
     "5: proxy has to be socks5://HOST:PORT, socks5h://HOST:PORT or http://HOST:PORT"},
    {"ca-file", REMOTE ("SSL_CAfile=/no/such"), "5: SSL_CAfile: there is no file \"/no/such\""},
    {"compress", REMOTE ("compress=on"),
     "5: compress has to be YES or NO, not \"on\"; did you mean \"YES\"?"},
    {"poll", "poll=0\n" SERVERS, "1: poll has to be a number from 1 to 86400, not \"0\""},
    {"select-word", "list-select-opts=SUBSCRIBD\n" SERVERS,
     "1: a word of list-select-opts has to be SUBSCRIBED, REMOTE or RECURSIVEMATCH, not "
     "\"SUBSCRIBD\"; did you mean \"SUBSCRIBED\"?"},
    {"select-recursive", "list-select-opts=RECURSIVEMATCH\n" SERVERS,
     "1: list-select-opts: RECURSIVEMATCH means nothing without SUBSCRIBED"},
    {"list-mailbox-in-section", REMOTE ("list-mailbox=a"),
     "5: list-mailbox is the account's, not a server's: it has to stand before the first section"},
    {"list-mailbox-quote", "list-mailbox=a \"b c\n" SERVERS,
     "1: list-mailbox: \"a \"b c\" has no second double quote"},
    {"list-mailbox-behind-quote", "list-mailbox=\"a\"b\n" SERVERS,
     "1: list-mailbox: \"\"a\"b\" has something right behind a double quote"},
    {"list-mailbox-escape", "list-mailbox=\"a\\q\"\n" SERVERS,
     "1: list-mailbox: \"\"a\\q\"\" has an escape sequence that is not known, behind a backslash"},
    {"list-mailbox-control", "list-mailbox=\"a\\n\"\n" SERVERS,
     "1: list-mailbox: \"\"a\\n\"\" has a control character, which is in no mailbox's name"},
    {"list-mailbox-utf8", "list-mailbox=\"a\\xff\"\n" SERVERS,
     "1: list-mailbox: \"\"a\\xff\"\" is not UTF-8 when its escape sequences are replaced"},
    {"list-mailbox-empty-pattern", "list-mailbox=a \"\"\n" SERVERS,
     "1: list-mailbox: \"a \"\"\" has an empty pattern"},
    {"list-mailbox-empty", "list-mailbox=\n" SERVERS, "1: list-mailbox has no value"},
    {"metered", "metered=no\n" SERVERS,
     "1: metered has to be full, light or pause, not \"no\"; did you mean \"full\"?"},
    {"notify-new-mail", "notify-new-mail=on\n" SERVERS,
     "1: notify-new-mail has to be YES or NO, not \"on\"; did you mean \"YES\"?"},
    {"idle-pattern", "idle=INBOX lists/*\n" SERVERS,
     "1: idle: \"lists/*\" is a pattern, and mailboxes are named here one by one"},
    {"idle-many", "idle=a b c d e f\n" SERVERS,
     "1: idle: no more than 5 mailboxes can be watched that way"},
    {"poll-in-section", REMOTE ("poll=5"),
     "5: poll is the account's, not a server's: it has to stand before the first section"},
    {"cipher", REMOTE ("SSL_cipher_list=HGIH:!aNULL"),
     "5: SSL_cipher_list: \"HGIH\" is no cipher suite and no group of them; did you mean "
     "\"HIGH\"?"},
    {"ca-path", REMOTE ("SSL_ca_path=/no/such"), "5: SSL_ca_path: there is no folder \"/no/such\""},
    {"ca-path-file", REMOTE ("SSL_ca_path=/etc/passwd"),
     "5: SSL_ca_path: there is no folder \"/etc/passwd\""},
    {"database-folder", "database=/\n" SERVERS, "1: database has to be a file, and / is a folder"},
    {"database-slash", "database=/no/such/\n" SERVERS,
     "1: database has to be a file, and /no/such is a folder"},
    {"default-that-is-wrong", "\nport=x\n[local]\ntype=tunnel\ncommand=a\n[remote]\ntype=tunnel\n",
     "2: port has to be a number from 1 to 65535, not \"x\""},
    /* what does not go together */
    {"command-imaps", REMOTE ("command=x"), "5: command makes no sense for type imaps"},
    {"command-imap", REMOTE ("type=imap\ncommand=x"), "6: command makes no sense for type imap"},
    {"starttls-imaps", REMOTE ("STARTTLS=YES"), "5: STARTTLS makes no sense for type imaps"},
    {"host-tunnel", "[local]\nhost=a\ntype=tunnel\ncommand=imap\n[remote]\n",
     "2: host makes no sense for type tunnel"},
    {"ssl-tunnel-by-default", "type=tunnel\n[local]\nSSL_verify_trusted_peer=NO\n[remote]\n",
     "3: SSL_verify_trusted_peer makes no sense for type tunnel"},
    {"tunnel-without-command", "[remote]\n[local]\ntype=tunnel\n",
     "2: [local] is a tunnel and needs a command"},
    {"two-tunnels", "[local]\ntype=tunnel\ncommand=a\n[remote]\ntype=tunnel\ncommand=b\n",
     " neither server has a host, so the database cannot be named after one: "
     "\"database=NAME.db\" is needed before the first section"},
    {"same-server", "[local]\nhost=a\n[remote]\nhost=A\nport=993\n",
     "3: [remote] is the same server and user as [local]"},
    {"remote-store", "[local]\nhost=a\n[remote]\ntype=store\n",
     "4: type = store is for [local] alone: the mail of [remote] is on a server"},
    {"user-of-a-store", "[local]\ntype=store\nusername=me\n[remote]\nhost=a\n",
     "3: username makes no sense for type store"},
    {"same-server-other-door", "host=a\n[local]\ntype=imap\n[remote]\n",
     "4: [remote] is the same server and user as [local]"},
    {"same-tunnel", "type=tunnel\ncommand=a\ndatabase=x\n[local]\n[remote]\n",
     "5: [remote] is the same server and user as [local]"},
    {"no-remote", "[local]\n", " there is no section [remote]"},
    {"no-local", "[remote]\n", " there is no section [local]"},
    {"empty", "", " there is no section [local]"},
    /* syntax */
    {"no-equals", "[local]\nhost\n", "2: neither OPTION=VALUE, nor [SECTION], nor a comment"},
    {"no-continuation", REMOTE ("password=a\\\n  b"),
     "6: neither OPTION=VALUE, nor [SECTION], nor a comment"},
    {"no-name", "=x\n", "1: there is no option before \"=\""},
    {"section-open", "[local\n", "1: \"]\" is missing after the section's name"},
    {"section-tail", "[local] # mine\n", "1: nothing may stand behind a section's \"]\""},
    {"section-empty", "[ ]\n", "1: a section without a name"},
    {"section-twice", "[local]\n[remote]\n[local]\n",
     "3: section \"local\" stands in line 1 already"},
    {"option-twice", REMOTE ("host=a\n\nhost=b"),
     "7: option \"host\" stands in line 5 already, in the same section"},
    {"not-utf8", REMOTE ("username=J\xf6rg"),
     "5: byte 11 is not UTF-8: the file has to be saved in that encoding"},
    {"control-character", REMOTE ("username=J\033g"), "5: byte 11 is the control character 0x1b"},
    {"carriage-return", "[local]\r[remote]\n", "1: byte 8 is the control character 0x0d"},
};

static void
test_fault (gconstpointer data)
{
  const Fault *fault = data;
  g_autofree char *expected = g_strconcat ("/etc/x.conf:", fault->error, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (AccountConfig) config =
      account_config_parse ("/etc/x.conf", fault->text, strlen (fault->text), &error);

  g_assert_null (config);
  g_assert_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG);
  g_assert_cmpstr (error->message, ==, expected);
}

static void
test_nul_is_an_error (void)
{
  static const char text[] = "[local]\nhost=a\0b\n";
  g_autoptr (GError) error = NULL;
  g_autoptr (AccountConfig) config =
      account_config_parse ("/etc/x.conf", text, sizeof text - 1, &error);

  g_assert_null (config);
  g_assert_cmpstr (error->message, ==, "/etc/x.conf:2: a NUL byte: this is not a text file");
}

/* ---- values ---- */

/* The record in one line, so that a difference shows whole. */
static char *
describe (const ServerSettings *server)
{
  g_autoptr (GString) text = g_string_new (NULL);

  g_string_append_printf (text,
                          "type=%d host=%s port=%u command=%s starttls=%d auth=", server->type,
                          server->host, server->port, server->command, server->starttls);
  for (guint i = 0; i < server->auth->len; i++)
    g_string_append_c (text, "PLBbAaEOX"[g_array_index (server->auth, AuthMechanism, i)]);
  g_string_append_printf (text, " user=%s password=%s ciphers=%s pins=", server->username,
                          password_text (server->password), server->cipher_list);
  for (guint i = 0; i < server->fingerprints->len; i++) {
    const Fingerprint *pin = &g_array_index (server->fingerprints, Fingerprint, i);
    gsize length;
    const guint8 *bytes = g_bytes_get_data (pin->digest, &length);

    g_string_append_printf (text, "%d:", pin->algorithm);
    for (gsize j = 0; j < length; j++)
      g_string_append_printf (text, "%02x", bytes[j]);
  }
  g_string_append_printf (text, " verify=%d ca=%s timeout=%u", server->verify, server->ca_path,
                          server->timeout);
  return g_string_free (g_steal_pointer (&text), FALSE);
}

typedef struct {
  const char *name;
  const char *text; /* @HOME@ is replaced */
  const char *local;
  const char *remote;
} Value;

#define TUNNEL                                                                                     \
  "type=2 host=(null) port=0 command=imap starttls=1 auth=BbAaPL user=(null) password=(null) "     \
  "ciphers=(null) pins= verify=1 ca=(null) timeout=60"
#define NO_TLS "ciphers=(null) pins= verify=1 ca=(null)"

static const Value values[] = {
    {"defaults-imaps", "[remote]\n[local]\ntype=tunnel\ncommand=imap\n", TUNNEL,
     "type=1 host=localhost port=993 command=(null) starttls=1 auth=BbAaPL user=(null) "
     "password=(null) " NO_TLS " timeout=60"},
    {"defaults-imap", REMOTE ("type=imap"), TUNNEL,
     "type=0 host=localhost port=143 command=(null) starttls=1 auth=BbAaPL user=(null) "
     "password=(null) " NO_TLS " timeout=60"},
    {"every-option-of-a-server",
     REMOTE ("type=imap\nhost=mail.example.org\nport=1143\nSTARTTLS=NO\nauth=LOGIN\n"
             "username=joe\npassword=secret\nSSL_cipher_list=HIGH:!aNULL\n"
             "SSL_fingerprint=sha1$0123456789ABCDEF0123456789abcdef01234567\n"
             "SSL_verify_trusted_peer=NO\nSSL_ca_path=@HOME@/ca\ntimeout=86400"),
     TUNNEL,
     "type=0 host=mail.example.org port=1143 command=(null) starttls=0 auth=L user=joe "
     "password=secret ciphers=HIGH:!aNULL "
     "pins=1:0123456789abcdef0123456789abcdef01234567 verify=0 ca=@HOME@/ca timeout=86400"},
    {"defaults-of-both",
     "type=imap\nport=10143\nauth=LOGIN PLAIN\nusername=joe\npassword=p\nSTARTTLS=NO\ntimeout=5\n"
     "[local]\nhost=a\n[remote]\nhost=b\nusername=jim\nSTARTTLS=YES\n",
     "type=0 host=a port=10143 command=(null) starttls=0 auth=LP user=joe password=p " NO_TLS
     " timeout=5",
     "type=0 host=b port=10143 command=(null) starttls=1 auth=LP user=jim password=p " NO_TLS
     " timeout=5"},
    {"defaults-that-do-not-apply",
     "host=a\nport=1\ncommand=unused\nSTARTTLS=NO\nSSL_ca_path=/\n"
     "[local]\ntype=tunnel\ncommand=imap\n[remote]\nSSL_verify_trusted_peer=no\n",
     TUNNEL,
     "type=1 host=a port=1 command=(null) starttls=1 auth=BbAaPL user=(null) password=(null) "
     "ciphers=(null) pins= verify=0 ca=/ timeout=60"},
    {"own-type-beats-default-type", "type=tunnel\ncommand=imap\n[local]\n[remote]\ntype=imaps\n",
     TUNNEL,
     "type=1 host=localhost port=993 command=(null) starttls=1 auth=BbAaPL user=(null) "
     "password=(null) " NO_TLS " timeout=60"},
    {"password-verbatim", REMOTE ("password =  a #;\"b' =\\n \xc3\xa9[x] \t"), TUNNEL,
     "type=1 host=localhost port=993 command=(null) starttls=1 auth=BbAaPL user=(null) "
     "password=a #;\"b' =\\n \xc3\xa9[x] " NO_TLS " timeout=60"},
    {"layout",
     "\xef\xbb\xbf# a comment\r\n ; another\r\n\r\n[ local ]\r\n\ttype = tunnel\r\n"
     "command\t=\timap\r\n\r\n  [remote]  \r\n  auth =   plain\t login  \r\nhost=a",
     TUNNEL,
     "type=1 host=a port=993 command=(null) starttls=1 auth=PL user=(null) "
     "password=(null) " NO_TLS " timeout=60"},
    {"fingerprints",
     REMOTE ("SSL_fingerprint=" SHA256 "  MD5$00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff"),
     TUNNEL,
     "type=1 host=localhost port=993 command=(null) starttls=1 auth=BbAaPL user=(null) "
     "password=(null) ciphers=(null) pins=2:" SHA256 "0:00112233445566778899aabbccddeeff verify=1 "
     "ca=(null) timeout=60"},
    {"store", "[local]\ntype=store\nstore-format=SDBOX\n[remote]\nhost=a\n",
     "type=3 host=(null) port=0 command=(null) starttls=1 auth=BbAaPL user=(null) "
     "password=(null) " NO_TLS " timeout=60",
     "type=1 host=a port=993 command=(null) starttls=1 auth=BbAaPL user=(null) "
     "password=(null) " NO_TLS " timeout=60"},
    {"ipv6", REMOTE ("host=[::1]"), TUNNEL,
     "type=1 host=::1 port=993 command=(null) starttls=1 auth=BbAaPL user=(null) "
     "password=(null) " NO_TLS " timeout=60"},
    {"international-host",
     REMOTE ("host=b\xc3\xbc"
             "cher.example"),
     TUNNEL,
     "type=1 host=b\xc3\xbc"
     "cher.example port=993 command=(null) starttls=1 auth=BbAaPL user=(null) "
     "password=(null) " NO_TLS " timeout=60"},
};

static char *
at_home (const char *text)
{
  g_autoptr (GString) result = g_string_new (text);
  g_string_replace (result, "@HOME@", home, 0);
  return g_string_free (g_steal_pointer (&result), FALSE);
}

static void
test_value (gconstpointer data)
{
  const Value *value = data;
  g_autofree char *text = at_home (value->text);
  g_autofree char *local = at_home (value->local);
  g_autofree char *remote = at_home (value->remote);
  g_autoptr (AccountConfig) config = parse (text);
  g_autofree char *got_local = describe (config->server[SIDE_LOCAL]);
  g_autofree char *got_remote = describe (config->server[SIDE_REMOTE]);

  g_assert_cmpint (config->server[SIDE_LOCAL]->side, ==, SIDE_LOCAL);
  g_assert_cmpint (config->server[SIDE_REMOTE]->side, ==, SIDE_REMOTE);
  g_assert_cmpstr (got_local, ==, local);
  g_assert_cmpstr (got_remote, ==, remote);
}

static void
test_database (void)
{
  static const char *const cases[][2] = {
      {SERVERS, "@HOME@/data/imapsync/imap.example.org.db"},
      {"[local]\nhost=near\n[remote]\ntype=tunnel\ncommand=x\n", "@HOME@/data/imapsync/near.db"},
      {"[local]\n[remote]\ntype=tunnel\ncommand=x\n", "@HOME@/data/imapsync/localhost.db"},
      {"database=work.db\n" SERVERS, "@HOME@/data/imapsync/work.db"},
      {"database = a b/../c.db\n" SERVERS, "@HOME@/data/imapsync/c.db"},
      {"database=/var/x.db\n" SERVERS, "/var/x.db"},
      {"database=~/mail.db\n" SERVERS, "@HOME@/mail.db"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (AccountConfig) config = parse (cases[i][0]);
    g_autofree char *expected = at_home (cases[i][1]);
    g_assert_cmpstr (config->database, ==, expected);
  }
}

/* ---- files ---- */

static void
put (const char *name, const char *text, int mode)
{
  g_autofree char *path = g_build_filename (home, name, NULL);
  g_autofree char *folder = g_path_get_dirname (path);

  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  g_assert_cmpint (g_chmod (path, mode), ==, 0);
}

static void
remove_tree (const char *path)
{
  gboolean link = g_file_test (path, G_FILE_TEST_IS_SYMLINK);
  g_autoptr (GDir) folder = link ? NULL : g_dir_open (path, 0, NULL);
  const char *name;

  while (folder != NULL && (name = g_dir_read_name (folder)) != NULL) {
    g_autofree char *child = g_build_filename (path, name, NULL);
    remove_tree (child);
  }
  g_remove (path);
}

static void
clean (void)
{
  g_autofree char *config = g_build_filename (home, "config", NULL);
  remove_tree (config);
  g_assert_cmpint (g_mkdir_with_parents (config, 0700), ==, 0);
}

/* The ids of the accounts, or the error without the folder of the test. */
static char *
load (const char *first, const char *second)
{
  const char *paths[] = {first, second, NULL};
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) accounts = account_configs_load (paths, &error);
  g_autoptr (GString) text = g_string_new (NULL);

  if (accounts == NULL) {
    g_assert_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG);
    g_string_assign (text, error->message);
    g_string_replace (text, home, "~", 0);
    return g_string_free (g_steal_pointer (&text), FALSE);
  }
  for (guint i = 0; i < accounts->len; i++) {
    const AccountConfig *config = g_ptr_array_index (accounts, i);
    g_assert_true (g_path_is_absolute (config->path));
    g_string_append_printf (text, "%s%s", i > 0 ? " " : "", config->id);
  }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

#define assert_load(first, second, expected)                                                       \
  do {                                                                                             \
    g_autofree char *got_ = load (first, second);                                                  \
    g_assert_cmpstr (got_, ==, expected);                                                          \
  } while (0)

#define EXAMPLE                                                                                    \
  "; the shortest configuration is\n[local]\ntype=tunnel\ncommand=/usr/lib/dovecot/imap\n"         \
  "[remote]\nhost=imap.example.org\nusername=me@example.org\npassword=secret"

static void
test_default_file (void)
{
  clean ();
  put ("config/imapsync", SERVERS, 0600);
  assert_load (NULL, NULL, "imapsync");
}

static void
test_default_folder (void)
{
  clean ();
  put ("config/imapsync/work.conf", SERVERS, 0600);
  put ("config/imapsync/home.conf", "database=home.db\n" SERVERS, 0600);
  put ("config/imapsync/home.conf~", "nonsense", 0600);
  put ("config/imapsync/.#home.conf", "nonsense", 0600);
  put ("config/imapsync/README", "nonsense", 0600);
  assert_load (NULL, NULL, "home work");
}

static void
test_missing_configuration_says_what_to_write (void)
{
  clean ();
  assert_load (NULL, NULL, "~/config/imapsync: there is no such file or folder" EXAMPLE);
  assert_load ("a.conf", NULL, "~/config/a.conf: there is no such file or folder" EXAMPLE);
  put ("config/imapsync/note.txt", "", 0600);
  assert_load (NULL, NULL, "~/config/imapsync: this folder has no *.conf" EXAMPLE);
}

static void
test_named_files (void)
{
  g_autofree char *absolute = g_build_filename (home, "elsewhere", "b.conf", NULL);

  clean ();
  put ("config/a.conf", SERVERS, 0600);
  put ("elsewhere/b.conf", "database=b\n" SERVERS, 0600);
  put ("elsewhere/a.conf", "database=c\n" SERVERS, 0600);
  assert_load ("a.conf", absolute, "a b");
  assert_load ("a.conf", "../elsewhere/a.conf", "a a-2");
  assert_load ("~/elsewhere/b.conf", NULL, "b");
}

static void
test_two_accounts_with_one_database (void)
{
  g_autofree char *path = g_build_filename (home, "config", "data", NULL);
  g_autoptr (GFile) link = g_file_new_for_path (path);

  clean ();
  put ("config/a.conf", SERVERS, 0600);
  put ("config/b.conf", "database=imap.example.org.db\n" SERVERS, 0600);
  assert_load ("a.conf", "b.conf",
               "~/config/a.conf and ~/config/b.conf have the same database, "
               "~/data/imapsync/imap.example.org.db: each account needs its own");
  assert_load ("a.conf", "a.conf",
               "~/config/a.conf and ~/config/a.conf have the same database, "
               "~/data/imapsync/imap.example.org.db: each account needs its own");

  put ("data/imapsync/keep", "", 0600);
  put ("config/b.conf", "database=~/config/data/imapsync/imap.example.org.db\n" SERVERS, 0600);
  g_assert_true (g_file_make_symbolic_link (link, "../data", NULL, NULL));
  assert_load ("a.conf", "b.conf",
               "~/config/a.conf and ~/config/b.conf have the same database, "
               "~/config/data/imapsync/imap.example.org.db: each account needs its own");
}

static void
test_error_in_a_file_names_it (void)
{
  clean ();
  put ("config/imapsync/a.conf", SERVERS, 0600);
  put ("config/imapsync/b.conf", "\nhots=x\n", 0600);
  assert_load (NULL, NULL,
               "~/config/imapsync/b.conf:2: unknown option \"hots\"; did you mean \"host\"?");
}

static void
test_what_is_no_configuration_file (void)
{
  g_autofree char *big = g_strnfill (1100000, '#');

  clean ();
  put ("config/big", big, 0600);
  assert_load ("big", NULL, "~/config/big: File too large");
  assert_load ("/dev/zero", NULL, "/dev/zero: File too large");
}

static void
test_server_that_anybody_can_be_is_warned_about (void)
{
  static const char *const quiet[] = {
      "type=imaps\nSSL_verify=NO\nSSL_fingerprint=sha256$" SHA256 "\n",
      "type=imaps\nSSL_verify=NO\nSSL_fingerprint=spki-sha256$" SHA256 "\n",
      "type=imap\nSTARTTLS=NO\nSSL_verify=NO\n",
      "type=imaps\n",
  };

  clean ();
  put ("config/anybody", SERVERS "SSL_verify_trusted_peer=NO\n", 0600);
  g_test_expect_message ("imapsync", G_LOG_LEVEL_WARNING,
                         "*config/anybody: with SSL_verify_trusted_peer=NO anybody can be the "
                         "remote server; *SSL_fingerprint*");
  assert_load ("anybody", NULL, "anybody");
  g_test_assert_expected_messages ();
  for (gsize i = 0; i < G_N_ELEMENTS (quiet); i++) {
    g_autofree char *text = g_strconcat (SERVERS, quiet[i], NULL);

    put ("config/anybody", text, 0600);
    assert_load ("anybody", NULL, "anybody");
  }
  put ("config/anybody",
       "[local]\ntype=tunnel\ncommand=imap\n[remote]\nhost=localhost\nSSL_verify=NO\n", 0600);
  assert_load ("anybody", NULL, "anybody");
}

static void
test_password_that_others_can_read_is_warned_about (void)
{
  clean ();
  put ("config/open", SERVERS "password=x\n", 0640);
  g_test_expect_message ("imapsync", G_LOG_LEVEL_WARNING,
                         "*config/open: others can read this file, which holds a password*");
  assert_load ("open", NULL, "open");
  g_test_assert_expected_messages ();

  put ("config/open", SERVERS, 0644);
  assert_load ("open", NULL, "open");
  put ("config/open", SERVERS "password=x\n", 0600);
  assert_load ("open", NULL, "open");
}

static void
test_nearest_name (void)
{
  static const char *const names[] = {"database", "host", "port", "password"};
  static const char *const cases[][2] = {
      {"databse", "database"}, {"HOST", "host"},       {"ohst", "host"},
      {"pot", "port"},         {"passwd", "password"}, {"password-command", "password"},
      {"data", "database"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    g_assert_cmpstr (config_nearest (cases[i][0], names, G_N_ELEMENTS (names)), ==, cases[i][1]);
  g_assert_null (config_nearest ("x", names, 0));
}

static void
test_idle (void)
{
  static const char *const named[] = {"INBOX",
                                      "work"
                                      "\x1f"
                                      "now",
                                      "b c", NULL};
  g_autoptr (AccountConfig) by_default = parse (SERVERS);
  g_autoptr (AccountConfig) config = parse ("idle=inbox \"work\\x00now\" \"b c\"\n" SERVERS);
  g_autoptr (AccountConfig) none = parse ("idle=\n" SERVERS);
  g_autoptr (AccountConfig) copy = account_config_copy (config);

  g_assert_true (
      g_strv_equal ((const char *const *)by_default->idle, (const char *const[]){"INBOX", NULL}));
  g_assert_false (by_default->idle_chosen);
  for (guint i = 0; i < g_strv_length (copy->idle); i++)
    g_assert_cmpstr (copy->idle[i], ==, named[i]);
  g_assert_cmpuint (g_strv_length (copy->idle), ==, 3);
  g_assert_true (copy->idle_chosen);
  g_assert_cmpuint (g_strv_length (none->idle), ==, 0);
  g_assert_true (none->idle_chosen);
}

static void
test_trust_options (void)
{
  g_autoptr (AccountConfig) config =
      parse ("poll=7\nSSL_protocol_min=TLSv1.3\n[local]\ntype=tunnel\ncommand=a\n"
             "password-command=pass show local\n[remote]\nhost=a\ncompress=NO\n"
             "SSL_fingerprint=spki-md5$00112233445566778899aabbccddeeff "
             "md5$ffeeddccbbaa99887766554433221100 spki-" SHA256 "\n"
             "SSL_hostname=mail.example\nSSL_CAfile=/etc/passwd\nSSL_CApath=/\nSSL_verify=NO\n"
             "proxy=socks5h://me:geheim@proxy:1080\nauth=OAUTHBEARER XOAUTH2 EXTERNAL\n");
  g_autoptr (ServerSettings) remote = server_settings_copy (config->server[SIDE_REMOTE]);
  const ServerSettings *local = config->server[SIDE_LOCAL];

  g_assert_cmpuint (config->poll, ==, 7);
  g_assert_cmpstr (local->password_command, ==, "pass show local");
  g_assert_false (local->compress);
  g_assert_false (local->auth_chosen);
  g_assert_true (remote->auth_chosen);
  g_assert_false (remote->compress);
  g_assert_false (remote->verify);
  g_assert_cmpint (remote->tls_min, ==, TLS_VERSION_1_3);
  g_assert_cmpint (remote->tls_max, ==, TLS_VERSION_1_3);
  g_assert_cmpuint (remote->fingerprints->len, ==, 1);
  g_assert_cmpuint (remote->key_pins->len, ==, 2);
  g_assert_cmpint (g_array_index (remote->key_pins, Fingerprint, 1).algorithm, ==,
                   G_CHECKSUM_SHA256);
  g_assert_cmpstr (remote->tls_host, ==, "mail.example");
  g_assert_cmpstr (remote->ca_file, ==, "/etc/passwd");
  g_assert_cmpstr (remote->ca_path, ==, "/");
  g_assert_cmpstr (remote->proxy, ==, "socks5://me:geheim@proxy:1080");
  g_assert_true (server_settings_lacks_password (remote) == (remote->username != NULL));
}

static void
test_selection_options (void)
{
  g_autoptr (AccountConfig) config =
      parse ("list-mailbox=INBOX  \"a b\\x00%\" \"q\\\"\\\\\\xc3\\xbc\" x*\n"
             "list-select-opts=subscribed RECURSIVEMATCH\nignore-mailbox=^virtual(?:\\x00|$)\n"
             "[local]\ntype=tunnel\ncommand=a\nlist-reference=perso/\n[remote]\nhost=a\n");
  g_autoptr (AccountConfig) copy = account_config_copy (config);
  g_autoptr (AccountConfig) all = parse ("list-select-opts=\n" SERVERS);
  g_autoptr (AccountConfig) none = parse (SERVERS);
  static const char *const patterns[] = {"INBOX", "a b\x1f%", "q\"\\\xc3\xbc", "x*", NULL};

  g_assert_true (g_strv_equal ((const char *const *)copy->list_mailbox, patterns));
  g_assert_cmpuint (copy->select, ==, ACCOUNT_SELECT_SUBSCRIBED | ACCOUNT_SELECT_RECURSIVEMATCH);
  g_assert_true (g_regex_match_full (copy->ignore_mailbox, "virtual\0x", 9, 0, 0, NULL, NULL));
  g_assert_false (g_regex_match (copy->ignore_mailbox, "virtually", 0, NULL));
  g_assert_cmpstr (copy->server[SIDE_LOCAL]->list_reference, ==, "perso/");
  g_assert_null (copy->server[SIDE_REMOTE]->list_reference);
  g_assert_cmpuint (all->select, ==, 0);
  g_assert_null (none->list_mailbox);
  g_assert_null (none->ignore_mailbox);
  g_assert_cmpuint (none->select, ==, ACCOUNT_SELECT_SUBSCRIBED);
}

static void
test_ignore_mailbox_has_to_be_a_regular_expression (void)
{
  const char *text = "\nignore-mailbox=(\n" SERVERS;
  g_autoptr (GError) error = NULL;

  g_assert_null (account_config_parse ("/etc/x.conf", text, strlen (text), &error));
  g_assert_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG);
  g_assert_true (g_str_has_prefix (error->message, "/etc/x.conf:2: ignore-mailbox: "));
}

/* ---- what people copy ---- */

static void
test_example_shows_every_option_and_is_right (void)
{
  static const char *const names[] = {
      "database",
      "type",
      "host",
      "port",
      "command",
      "STARTTLS",
      "auth",
      "username",
      "password",
      "timeout",
      "SSL_cipher_list",
      "SSL_verify_trusted_peer",
      "SSL_fingerprint",
      "SSL_ca_path",
      "SSL_hostname",
      "SSL_protocol_min",
      "SSL_protocol_max",
      "SSL_CAfile",
      "SSL_client_certificate",
      "compress",
      "password-command",
      "poll",
      "idle",
      "metered",
      "notify-new-mail",
      "proxy",
      "store-format",
  };
  /* Some are for other types, and files are not on every machine. */
  static const char *const elsewhere[] = {"STARTTLS", "store-format", "SSL_CAfile",
                                          "SSL_client_certificate", NULL};
  g_autofree char *text = NULL;
  g_autoptr (GString) all = NULL;
  g_autoptr (AccountConfig) config = NULL;
  g_autoptr (AccountConfig) with_defaults = NULL;

  g_assert_true (g_file_get_contents (EXAMPLE_PATH, &text, NULL, NULL));
  config = parse (text);
  g_assert_cmpstr (password_text (config->server[SIDE_REMOTE]->password), ==,
                   "my secret, with spaces and # as they are");
  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *set = g_strconcat ("\n", names[i], "=", NULL);
    g_autofree char *unset = g_strconcat ("\n#", names[i], "=", NULL);
    g_test_message ("%s", names[i]);
    g_assert_true (strstr (text, set) != NULL || strstr (text, unset) != NULL);
  }

  /* What is commented out is right too. */
  all = g_string_new (text);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *set = g_strconcat ("\n", names[i], "=", NULL);
    g_autofree char *unset = g_strconcat ("\n#", names[i], "=", NULL);
    if (!g_strv_contains (elsewhere, names[i]))
      g_string_replace (all, unset, set, 0);
  }
  with_defaults = parse (all->str);
  g_assert_cmpuint (with_defaults->server[SIDE_REMOTE]->fingerprints->len, ==, 1);
  g_assert_cmpuint (with_defaults->server[SIDE_REMOTE]->port, ==, 993);
}

static void
test_configurations_of_the_readme_are_right (void)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) blocks = NULL;
  guint n;

  g_assert_true (g_file_get_contents (README_PATH, &text, NULL, NULL));
  blocks = g_strsplit (text, "```ini\n", -1);
  n = g_strv_length (blocks);
  g_assert_cmpuint (n, >=, 2);
  for (guint i = 1; i < n; i++) {
    g_autoptr (AccountConfig) config = NULL;
    *strstr (blocks[i], "```") = '\0';
    config = parse (blocks[i]);
    g_assert_cmpstr (config->server[SIDE_REMOTE]->host, ==, "imap.example.org");
  }
}

/* XDG folders are read once by GLib, so they are set before anything else. */
static void
set_up_home (void)
{
  g_autofree char *config = NULL;
  g_autofree char *data = NULL;
  g_autofree char *ca = NULL;

  home = g_dir_make_tmp ("imapsync-test-XXXXXX", NULL);
  g_assert_nonnull (home);
  config = g_build_filename (home, "config", NULL);
  data = g_build_filename (home, "data", NULL);
  ca = g_build_filename (home, "ca", NULL);
  g_assert_cmpint (g_mkdir (ca, 0700), ==, 0);
  g_setenv ("HOME", home, TRUE);
  g_setenv ("XDG_CONFIG_HOME", config, TRUE);
  g_setenv ("XDG_DATA_HOME", data, TRUE);
}

int
main (int argc, char **argv)
{
  int status;

  g_setenv ("LC_ALL", "C.UTF-8", TRUE);
  set_up_home ();
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (faults); i++) {
    g_autofree char *path = g_strconcat ("/config/error/", faults[i].name, NULL);
    g_test_add_data_func (path, &faults[i], test_fault);
  }
  g_test_add_func ("/config/error/nul", test_nul_is_an_error);
  for (guint i = 0; i < G_N_ELEMENTS (values); i++) {
    g_autofree char *path = g_strconcat ("/config/value/", values[i].name, NULL);
    g_test_add_data_func (path, &values[i], test_value);
  }
  g_test_add_func ("/config/database", test_database);
  g_test_add_func ("/config/file/default-file", test_default_file);
  g_test_add_func ("/config/file/default-folder", test_default_folder);
  g_test_add_func ("/config/file/missing-configuration-says-what-to-write",
                   test_missing_configuration_says_what_to_write);
  g_test_add_func ("/config/file/named-files", test_named_files);
  g_test_add_func ("/config/file/two-accounts-with-one-database",
                   test_two_accounts_with_one_database);
  g_test_add_func ("/config/file/error-names-the-file", test_error_in_a_file_names_it);
  g_test_add_func ("/config/file/what-is-none", test_what_is_no_configuration_file);
  g_test_add_func ("/config/file/server-that-anybody-can-be",
                   test_server_that_anybody_can_be_is_warned_about);
  g_test_add_func ("/config/file/password-that-others-can-read",
                   test_password_that_others_can_read_is_warned_about);
  g_test_add_func ("/config/nearest-name", test_nearest_name);
  g_test_add_func ("/config/idle", test_idle);
  g_test_add_func ("/config/trust-options", test_trust_options);
  g_test_add_func ("/config/selection", test_selection_options);
  g_test_add_func ("/config/ignore-mailbox", test_ignore_mailbox_has_to_be_a_regular_expression);
  g_test_add_func ("/config/documents/example", test_example_shows_every_option_and_is_right);
  g_test_add_func ("/config/documents/readme", test_configurations_of_the_readme_are_right);
  status = g_test_run ();
  remove_tree (home);
  g_free (home);
  return status;
}
