#!/bin/sh
# A batch evaluation: evaluate.sh FOLDER TASK… [-- OPTION…], options being those of `trajsim eval sts`.
#
# Each task is one result, <FOLDER>/<task>.json, written whole or not at all. A job that was
# stopped goes on with the first task that has none; one folder is for one model and setting.
set -eu

folder=$1
shift
tasks=
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    tasks="$tasks $1"
    shift
done
[ $# -eq 0 ] || shift

for task in $tasks; do
    if [ -s "$folder/$task.json" ]; then
        echo "$task: done before" >&2
    else
        trajsim eval sts --tasks "$task" --out "$folder/$task.json" "$@"
    fi
done
