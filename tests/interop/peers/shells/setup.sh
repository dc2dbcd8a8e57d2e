#!/usr/bin/env bash
# Brings zsh and fish to ${OTTLA_SHELLS:-$HOME/.cache/ottla-peers/shells}/bin, out of Debian's packages and without root.
# Does nothing if they are already there.
set -euo pipefail
home=${OTTLA_SHELLS:-$HOME/.cache/ottla-peers/shells}
if [ -x "$home/bin/zsh" ] && [ -x "$home/bin/fish" ]; then
  echo "zsh and fish are already in $home/bin"
  exit
fi
for program in apt-get dpkg; do
  command -v $program >/dev/null || { echo "$program is needed" >&2; exit 1; }
done
rm -rf "$home"; mkdir -p "$home/bin" "$home/packages"
cd "$home/packages"
packages=(zsh-static zsh-common fish fish-common libpcre2-32-0)
apt-get -qq download "${packages[@]}" || { apt-get -qq update && apt-get -qq download "${packages[@]}"; }
for package in *.deb; do dpkg -x "$package" "$home/tree"; done
cd "$home" && rm -r packages
# They look for their own functions and libraries where the system has them.
functions=$(find "$home/tree/usr/share/zsh/functions" -type d | paste -sd:)
libraries=$(dirname "$(find "$home/tree" -name 'libpcre2-32.so*' | head -1)")
cat > "$home/bin/zsh" <<END
#!/bin/sh
FPATH=$functions exec $home/tree/bin/zsh-static "\$@"
END
cat > "$home/bin/fish" <<END
#!/bin/sh
LD_LIBRARY_PATH=$libraries exec $home/tree/usr/bin/fish -C "set -p fish_function_path $home/tree/usr/share/fish/functions" "\$@"
END
chmod +x "$home/bin/zsh" "$home/bin/fish"
"$home/bin/zsh" --version
"$home/bin/fish" --version
