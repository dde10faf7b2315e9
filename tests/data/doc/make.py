#!/usr/bin/env python3
"""Make the PDF fixtures of this folder.  Needs reportlab, pypdf and pillow; the
results are committed, so that the tests need none of them.  unruled.pdf was made
once by LibreOffice 7.4 from HTML with a table without borders."""
import io
import os

from PIL import Image
from pypdf import PdfReader, PdfWriter
from reportlab.lib.enums import TA_JUSTIFY
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfgen import canvas
from reportlab.platypus import (BaseDocTemplate, Frame, PageTemplate, Paragraph, Spacer)

os.chdir(os.path.dirname(os.path.abspath(__file__)))
BODY = ParagraphStyle("b", fontName="Times-Roman", fontSize=10, leading=12, alignment=TA_JUSTIFY, spaceAfter=0, firstLineIndent=12)
HEAD = ParagraphStyle("h", fontName="Times-Bold", fontSize=12, leading=15, spaceBefore=8, spaceAfter=4)


def sentences(tag, n):
    return " ".join(f"Sentence {tag}{i} says that the reader must keep the columns apart and in order." for i in range(1, n + 1))


def two_columns():
    """A title and an abstract over both columns, then two columns on one baseline grid."""
    doc = BaseDocTemplate("two-columns.pdf", pagesize=A4, title="Two columns", invariant=1)
    w, h = A4
    top = 150
    first = [Frame(60, h - 60 - top, w - 120, top, id="top", showBoundary=0, leftPadding=0, rightPadding=0),
             Frame(60, 60, (w - 140) / 2, h - 120 - top, id="l", leftPadding=0, rightPadding=0),
             Frame(80 + (w - 140) / 2, 60, (w - 140) / 2, h - 120 - top, id="r", leftPadding=0, rightPadding=0)]
    doc.addPageTemplates([PageTemplate(id="p", frames=first, onPage=lambda c, d: (c.setFont("Times-Roman", 8), c.drawCentredString(w / 2, 30, str(d.page))))])
    title = ParagraphStyle("t", fontName="Times-Bold", fontSize=18, leading=22, alignment=1)
    flow = [Paragraph("On Reading Two Columns", title), Spacer(1, 8),
            Paragraph(sentences("A", 6), ParagraphStyle("a", parent=BODY, firstLineIndent=0))]
    flow.append(Spacer(1, 60))
    for k in "BCDEFG":
        flow += [Paragraph(f"{ord(k) - 65} Part {k}", HEAD), Paragraph(sentences(k, 8), BODY), Paragraph(sentences(k.lower(), 6), BODY)]
    doc.build(flow)


def rotated():
    """Page 1 upright; 2 shown turned by /Rotate 90 with text that is upright then; 3 with
    /Rotate 90 and text that was not turned (sideways to the eye); 4 upside down."""
    c = canvas.Canvas("rotated.pdf", pagesize=(400, 300), invariant=1)

    def text():
        c.setFont("Helvetica", 12)
        for i in range(6):
            c.drawString(40, 250 - 16 * i, f"Line {i + 1} of a page that may be turned.")

    text()
    c.showPage()
    c.setPageRotation(90)
    c.translate(400, 0)
    c.rotate(90)
    text()
    c.showPage()
    c.setPageRotation(90)
    text()
    c.showPage()
    c.setPageRotation(180)
    c.translate(400, 300)
    c.rotate(180)
    text()
    c.showPage()
    c.save()


def encrypted():
    b = io.BytesIO()
    c = canvas.Canvas(b, invariant=1)
    c.drawString(72, 700, "secret")
    c.save()
    w = PdfWriter(clone_from=PdfReader(io.BytesIO(b.getvalue())))
    w.encrypt(user_password="open sesame", algorithm="RC4-128")
    w.write("encrypted.pdf")


def scanned():
    im = Image.new("L", (300, 400), 255)
    for y in range(40, 360, 12):
        for x in range(40, 260):
            if (x * 7 + y) % 5:
                im.putpixel((x, y), 60)
    im.save("/tmp/lf-scan.png")
    c = canvas.Canvas("scanned.pdf", pagesize=(300, 400), invariant=1)
    c.drawString(40, 350, "This page has text of its own, enough to be read.")
    c.showPage()
    c.drawImage("/tmp/lf-scan.png", 0, 0, 300, 400)
    c.showPage()
    c.save()
    os.remove("/tmp/lf-scan.png")


def hyphens():
    """Hyphenated words, a booktabs table (horizontal rules alone), a list, a watermark."""
    c = canvas.Canvas("mixed.pdf", pagesize=A4, invariant=1)
    t = c.beginText(72, 760)
    t.setFont("Times-Roman", 11)
    t.setLeading(14)
    for line in ["The inspection of the reinforced concrete reser-", "voir was carried out by a well-known engi-", "neer in March, and its result is a state-of-the-", "art report."]:
        t.textLine(line)
    c.drawText(t)
    c.setFont("Times-Bold", 14)
    c.drawString(72, 680, "2 Results")
    c.setFont("Times-Roman", 11)
    rows = [("Year", "Volume", "Share"), ("2023", "1,204", "14.1 %"), ("2024", "1,130", "13.0 %"), ("2025", "1,058", "11.8 %")]
    for y in (662, 642, 588):
        c.line(72, y, 330, y)
    for i, r in enumerate(rows):
        for j, x in enumerate((72, 180, 280)):
            c.drawString(x, 648 - 17 * i, r[j])
    for i, s in enumerate(["first the valve is closed,", "then the pipe is drained."]):
        c.drawString(72, 560 - 15 * i, "•")
        c.drawString(90, 560 - 15 * i, s)
    c.saveState()
    c.translate(300, 300)
    c.rotate(90)
    c.setFont("Helvetica-Bold", 40)
    c.drawString(0, 0, "DRAFT")
    c.restoreState()
    c.save()


def many_pages(n=12):
    c = canvas.Canvas("running.pdf", pagesize=A4, invariant=1)
    for p in range(1, n + 1):
        c.setFont("Helvetica", 8)
        c.drawString(72, 810, "Linhe Water Group" if p % 2 else "Operating handbook")
        c.drawRightString(523, 810, f"Chapter {(p + 3) // 4}")
        c.drawCentredString(297, 30, f"- {p} -")
        c.setFont("Helvetica", 11)
        for i in range(20):
            c.drawString(72, 760 - 16 * i, f"Page {p} line {i + 1}: valves are turned slowly, and the gauge is watched.")
        c.showPage()
    c.save()


two_columns()
rotated()
encrypted()
scanned()
hyphens()
many_pages()
