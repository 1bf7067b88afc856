"""Stage 5: `judge` lets a judge read every sample.

Judges: `llm_judge`, asked in the words of `questions` and read by `replies`, and `lexicon_judge`; `panel` combines
several, `calibration` asks a judge about answers with agreed labels.
"""
