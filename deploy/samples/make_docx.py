#!/usr/bin/env python3
"""Make ../../samples/purchasing.zh.docx.  Needs python-docx (1.1 or later); run in this folder."""
from docx import Document
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml.ns import qn
from docx.shared import Pt

d = Document()
d.styles["Normal"].font.name = "Noto Sans CJK SC"
d.styles["Normal"].element.rPr.rFonts.set(qn("w:eastAsia"), "Noto Sans CJK SC")
d.styles["Normal"].font.size = Pt(11)
d.core_properties.title = "临河水务集团采购管理办法"
d.core_properties.author = "临河水务集团采购中心"
s = d.sections[0]
s.header.paragraphs[0].text = "临河水务集团制度文件 LHW-PUR-2024-03"
s.footer.paragraphs[0].text = "内部资料，注意保管"
s.footer.paragraphs[0].alignment = WD_ALIGN_PARAGRAPH.CENTER


def table(rows):
    t = d.add_table(rows=len(rows), cols=len(rows[0]))
    t.style = "Table Grid"
    for i, row in enumerate(rows):
        for j, text in enumerate(row):
            t.cell(i, j).text = text
    return t


d.add_heading("临河水务集团采购管理办法", 0)
d.add_paragraph("编号：LHW-PUR-2024-03　生效日期：2024年7月1日　归口部门：采购中心")
d.add_heading("第一章 总则", 1)
d.add_paragraph("本办法适用于集团本部及所属水厂、泵站、营业所的货物、工程和服务采购。采购应当遵循公开、公平、公正和节约的原则，任何部门不得化整为零，规避招标。")
d.add_heading("第二章 采购方式与限额", 1)
d.add_paragraph("采购方式按单项合同估算金额确定：")
table([["金额（人民币）", "采购方式", "审批人"],
       ["不满2万元", "直接采购", "部门负责人"],
       ["2万元以上不满20万元", "三家询价", "采购中心主任"],
       ["20万元以上不满100万元", "竞争性谈判或邀请招标", "分管副总经理"],
       ["100万元以上", "公开招标", "总经理办公会"]])
d.add_paragraph("工程项目估算金额达到400万元的，依法必须进入市公共资源交易平台公开招标。")
d.add_heading("第一节 应急采购", 2)
d.add_paragraph("爆管抢修、防汛、水质突发事件等需要立即采购的，经总值班领导口头同意可以先行采购，金额不得超过50万元，并应在采购后5个工作日内补办手续。")
d.add_heading("第二节 单一来源", 2)
d.add_paragraph("属于下列情形之一的，可以采用单一来源方式：")
for x in ["只能从唯一供应商处采购的专利设备或备件；",
          "为保证与原有设备配套，追加采购金额不超过原合同10%的；",
          "经两次公开招标均不足三家投标人的。"]:
    d.add_paragraph(x, style="List Number")
d.add_heading("第三章 供应商管理", 1)
d.add_paragraph("供应商实行名录制，每年12月评价一次，满分100分。低于60分的，取消资格，两年内不得重新申请；60分以上不满75分的，列入观察名单，期限一年。")
t = table([["评价项目", "内容", "分值"],
           ["质量", "到货合格率", "30"],
           ["", "使用故障率", "15"],
           ["交货", "按期交货率", "25"],
           ["价格", "与市场价的偏差", "20"],
           ["服务", "响应时间与售后", "10"]])
t.cell(1, 0).merge(t.cell(2, 0))
d.add_heading("第四章 合同与付款", 1)
d.add_paragraph("合同金额20万元以上的，须由法务部审核。付款一般按3-6-1执行：预付30%，验收后付60%，质保期满付10%。质保期不少于12个月，水泵、电机和阀门不少于24个月。")
d.add_paragraph("发票应在验收后30日内提交，逾期的，由经办人书面说明原因。")
d.add_heading("第五章 纪律", 1)
d.add_paragraph("采购人员不得收受供应商的礼品、礼金和宴请。收受价值不满500元的，退还并通报批评；500元以上的，移交纪检部门处理。近亲属在供应商任职的，必须主动回避。")
d.add_heading("第六章 附则", 1)
d.add_paragraph("本办法由采购中心解释，自2024年7月1日起施行。")
d.save("../../samples/purchasing.zh.docx")
