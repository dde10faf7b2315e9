#!/bin/bash
# The command line as scripts see it: exit codes, JSON alone on standard output.
set -uo pipefail
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
export LANDFALL_HOME=$home
bin=${LANDFALL:-build/landfall}
passed=0 failed=0

# check NAME EXIT-CODE JSON-TEST ARGUMENT...: the JSON test is Python over `v`.
check() {
    local name=$1 want=$2 test=$3 got
    shift 3
    "$bin" "$@" >"$home/out" 2>"$home/err" </dev/null
    got=$?
    if [ "$got" = "$want" ] && python3 -c "
import json, sys
text = open(sys.argv[1], encoding='utf-8').read()
v = json.loads(text) if text.startswith(('{', '[')) else text
err = open(sys.argv[2], encoding='utf-8').read()
assert $test, (v, err)" "$home/out" "$home/err"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $name: exit code $got, wanted $want"
    fi
}

check no_run 1 "v['error']['code'] == 'not_found'" replay --record --json
check no_runs 0 "v['runs'] == []" runs --json
check run_named_badly 2 "'hexadecimal' in v['error']['message']" replay --record last --json
check run_unknown 1 "v['error']['code'] == 'not_found'" replay --record 0123abcd --json
check runs_too_many 2 "'-n' in v['error']['message']" runs -n 100000 --json

check version 0 "v.startswith('landfall ')" --version
check help 0 "'landfall <command>' in v" help
check help_zh 0 "'用法' in v" help --lang zh
check help_one 0 "'--markdown' in v" config -h
check help_json 0 "len(v['commands']) >= 3" help --json
check no_command 2 "v == '' and 'landfall help' in err"
check no_command_json 2 "v['error']['code'] == 'invalid_argument'" --json
check unknown 2 "'nonesuch' in v['error']['message']" nonesuch --json
check unknown_near 2 "\"did you mean 'search'\" in v['error']['message']" saerch --json
check unknown_option 2 "'--nope' in v['error']['message']" config show --nope --json
check option_before 2 "'--nope' in v['error']['message']" --json config show --nope
check bad_threads 2 "'999' in v['error']['message']" config show --threads 999 --json
check bad_lang 2 "'xx' in err" config show --lang xx
check config 0 "v['home'] == '$home' and v['state'] == '$home/state.lfdb'" config show --json
check state 0 "v['state'] == '/s/f'" config show --json --state /s/f
check set 0 "[(s['value'], s['origin']) for s in v['settings'] if s['key'] == 'ask.k'] == [(3, 'flag')]" \
    config show --set ask.k=3 --json
check set_unknown 2 "'ask.q' in v['error']['message']" config show --json --set ask.q=3
check set_range 2 "'1 to 100' in v['error']['message']" config show --json --set ask.k=0

printf 'serve:\n  port: 81\nask.k: 5\n' >"$home/config.yaml"
check file 0 "[(s['value'], s['origin']) for s in v['settings'] if s['key'] in ('serve.port', 'ask.k')] == [(81, 'file'), (5, 'file')]" \
    config show --json
LANDFALL_ASK_K=6 check environment 0 "[(s['value'], s['origin']) for s in v['settings'] if s['key'] == 'ask.k'] == [(6, 'environment')]" \
    config show --json
printf 'serve:\n  prot: 81\n' >"$home/config.yaml"
check file_unknown 2 "'serve.prot' in v['error']['message'] and 'line 2' in v['error']['message']" config show --json
check help_despite_file 0 "'landfall' in v" help
rm "$home/config.yaml"
if "$bin" help >/dev/full 2>/dev/null; then
    failed=$((failed + 1))
    echo "FAILED full_disk: exit code 0, wanted 1"
else
    passed=$((passed + 1))
fi

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
