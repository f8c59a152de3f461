# Sourced by mvnw and holdfast: finds a JDK of version 25 or later and exports JAVA_HOME.
# Reads each JDK's `release` file instead of starting it, because this runs before every command.

is_jdk25() {
  [ -x "$1/bin/javac" ] && [ -r "$1/release" ] || return 1
  local line
  while IFS= read -r line; do
    case $line in
      JAVA_VERSION=*)
        line=${line#*\"}
        line=${line%%[!0-9]*}
        [ "${line:-0}" -ge 25 ]
        return
        ;;
    esac
  done <"$1/release"
  return 1
}

find_jdk25() {
  local on_path='' candidate
  is_jdk25 "${JAVA_HOME:-/nonexistent}" && return
  if on_path=$(command -v java); then
    on_path=$(readlink -f "$on_path" 2>/dev/null || echo "$on_path")
  fi
  for candidate in "${on_path%/bin/java}" \
    /usr/lib/jvm/*25* \
    /Library/Java/JavaVirtualMachines/*25*/Contents/Home \
    "$HOME"/.sdkman/candidates/java/25* \
    "$HOME"/.jdks/*25*; do
    if is_jdk25 "$candidate"; then
      JAVA_HOME=$candidate
      return
    fi
  done
  echo "Holdfast needs JDK 25 or later. None was found in JAVA_HOME, on PATH or in the usual places." >&2
  echo "Install one (Eclipse Temurin 25, for example) and set JAVA_HOME to its directory." >&2
  return 1
}

find_jdk25 || exit 1
export JAVA_HOME
