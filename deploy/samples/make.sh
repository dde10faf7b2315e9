#!/bin/bash
# deploy/samples/make.sh - make the PDF and DOCX samples again from their sources.
# Needs chromium, libreoffice-writer, fonts-noto-cjk and python3 with python-docx;
# the results are committed, so that nobody needs this to use them.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chromium --headless --no-sandbox --disable-gpu --user-data-dir="$work/c" --no-pdf-header-footer \
    --print-to-pdf=../../samples/annual-report-2025.pdf "file://$PWD/annual-report-2025.html"
soffice --headless -env:UserInstallation="file://$work/o" --convert-to pdf:writer_web_pdf_Export \
    --outdir "$work" water-quality-2025.zh.html
mv "$work/water-quality-2025.zh.pdf" ../../samples
"${PYTHON:-python3}" make_docx.py
