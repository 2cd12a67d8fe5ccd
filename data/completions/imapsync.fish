# fish completion for imapsync
# SPDX-License-Identifier: GPL-3.0-or-later
complete -c imapsync -f
complete -c imapsync -l config -r -F -d 'another configuration'
complete -c imapsync -s 1 -l oneshot -d 'exit as soon as all mailboxes are synchronized'
complete -c imapsync -l repair -d 'compare both servers with the database completely'
complete -c imapsync -l check -d 'say who the servers are, and whether they can be synchronized'
complete -c imapsync -l dry-run -d 'say what would be synchronized, and change nothing'
complete -c imapsync -l import-interimap -F -d 'make an account from that of InterIMAP'
complete -c imapsync -l name -x -d 'what an account that is made shall be called'
complete -c imapsync -l resolve -x -d 'decide about a conflict: ID:CHOICE'
complete -c imapsync -l store-password -x -a 'local remote' -d 'put a password into the keyring'
complete -c imapsync -s q -l quiet -d 'only warnings and errors'
complete -c imapsync -l debug -d 'show the traffic with the servers'
complete -c imapsync -s h -l help -d 'show the options'
complete -c imapsync -l version -d 'show the version'
complete -c imapsync-applet -f -s h -l help -d 'show the options'
complete -c imapsync-applet -f -l version -d 'show the version'
