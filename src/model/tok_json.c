/* model/tok_json.c - the tokenizer of a folder, from tokenizer.json. */
#include "model/tok_int.h"

lf_status lf_tokenizer_from_dir(const char *dir, lf_tokenizer **out, lf_err *err)
{
    (void)out;
    return lf_fail(
        err, LF_ERR_UNSUPPORTED,
        "cannot read the tokenizer of '%s': tokenizer.json is not supported, convert the "
        "model to GGUF",
        dir);
}
