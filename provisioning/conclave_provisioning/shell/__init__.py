"""The restricted shell: where the device's admin account lands, over SSH and at the console.

It runs the commands of `conclavectl` and nothing else. sshd starts it in place of whatever a client asks for
(ForceCommand), and it is the account's login shell as well, so that a missing sshd setting opens nothing.

What could be a way out, and what shuts it:

- the words of the client: split here by `shlex`, never seen by a shell (`request`);
- a command's own options that name a file, or another bus: refused but for "-", stdin and stdout
  (`confinement`), and once more where files are opened and programs started (`lockdown`);
- the environment: replaced as a whole (`environment`);
- the line editor: no file completion, no init file, no history file (`prompt`);
- sshd's own services (sftp, forwarding, agent, X11): its settings, in `systemd/ssh`.
"""
