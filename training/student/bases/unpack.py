"""`python -m training.student.bases.unpack FILE.gguf FOLDER`: weights of a few bits each as a folder that any loader reads.

A model that transformers read from GGUF calls itself quantised and refuses to be saved, so its numbers, which are plain
by then, go into a fresh model of the same configuration. They are kept in bf16: more digits than four bits have.
"""

import copy
import os
import sys
from pathlib import Path


def main(packed: Path, folder: Path) -> None:
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")  # before transformers is imported: all is in the file
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    tokenizer = AutoTokenizer.from_pretrained(packed.parent, gguf_file=packed.name)
    quantised = AutoModelForCausalLM.from_pretrained(packed.parent, gguf_file=packed.name, dtype=torch.float32)
    config = copy.deepcopy(quantised.config)
    del config.quantization_config
    plain = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)  # type: ignore[no-untyped-call]
    plain.load_state_dict(quantised.state_dict())
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
