"""The words that descriptions of CT examinations are made of. A word that is not here does not stay.

Left out on purpose are words that are common names as well, in any language that centers write in: long, min, an, hu,
ma, low, ed, omar. The few that remain (head, bone, sharp) say too much of a series to be missed.
"""

# What is shown: the head, and what else a center may send so that it can be told from the head.
_BODY = """
head brain skull cranium cranial cerebral cerebrum cerebellum neuro face facial sinus sinuses paranasal orbit orbits
orbital temporal mastoid petrous ear ears iac iacs sella pituitary posterior fossa vertex base neck cervical carotid
carotids vertebral spine c-spine t-spine l-spine thoracic lumbar chest thorax lung lungs heart cardiac
coronary abdomen abdominal pelvis liver kidney kidneys aorta arch whole body upper lower extremity hnp
cranio craneo encefalo cerebro cabeza schadel schaedel hirnschadel
"""
_EXAMINATION = """
ct cta ctp ctv ctas cts ncct cect nect hrct dect spect xct tomography angio angiogram angiography venogram venography
perfusion dynamic arteriogram multiphase phase arterial venous vein artery delayed delay early late equilibrium
stroke trauma emergency emergent er icu routine rtn standard std stnd protocol study exam examination series
scan scans rescan repeat follow followup up post pre postop preop op baseline control initial screening hemorrhage ich
sah sdh edh bleed hematoma ischemia infarct tumor adult child children pediatric paediatric ped peds infant neonate
baby portable mobile lowdose dose high resolution fast quick spiral helical helix sequence sequential seq incr
incremental axial ax axials tra trans transverse transversal coronal cor sagittal sag oblique obl supine prone
tilt tilted gantry volume vol volumetric cine shuttle wide range routinehead nativ native nativo simple
"""
_CONTRAST = """
contrast noncontrast non no not without with w wo w/ w/o w/wo wo/w c c+ c- s+ s- ce cm con noncon unenhanced enhanced
enhancement enhance enh iv plain and or injection bolus tracking monitoring premonitoring premonitor monitor test
timing smartprep prep surestart
"""
_RECONSTRUCTION = """
recon recons reconstruction reformat reformats reformatted reformation mpr mprs mip mips minip thinmip vr vrt ssd 3d 2d
4d iso isotropic bone bones boneplus soft tissue softtissue st brainwindow window windows wind ww wl parenchyma smooth
sharp sharpen detail edge ultra hr hd uhr thin thick thinner thickness slice slices overlap medium subdural
subtraction subtracted removed removal average avg averaged mean minimum maximum projection image images default
result results report dose info summary sheet patient record screen save capture secondary original derived
primary processed topogram topo scout scouts surview scano scanogram scanoscope localizer localiser lateral lat ap pa
map maps cbf cbv mtt ttp tmax tmip source raw data fbp ir asir asir-v veo idose safire admire aidr aidr3d karl3d
clearview o-mar imar smartmar metal artifact artefact reduction correction corrected kernel filter filtered
enhancedbrain optimal level mono monoenergetic mixed dual energy iodine virtual vnc q noise denoise dlir aice
"""
_UNITS = "mm cm kv kvp sec s ml x"

LATIN = frozenset(f"{_BODY} {_EXAMINATION} {_CONTRAST} {_RECONSTRUCTION} {_UNITS}".split())

_CHINESE = """
头 脑 颅 头颅 头部 颅脑 脑部 颅底 颅骨 头颈 头颈部 颈部 颈椎 颈动脉 脑动脉 脑血管 脑血管成像 面部 颌面 颌面部
鼻窦 副鼻窦 眼眶 颞骨 内耳 乳突 垂体 鞍区 后颅窝 胸部 胸椎 腹部 盆腔 腰椎 脊柱 主动脉 冠脉 心脏 肺部 全身 平扫
增强 双期 多期 动脉期 静脉期 延迟 延迟期 实质期 灌注 灌注成像 血管 血管成像 造影 动态 薄层 厚层 常规 标准 急诊
卒中 脑卒中 外伤 出血 脑出血 梗死 脑梗 脑梗死 复查 术前 术后 首次 随访 儿童 成人 婴儿 床旁 低剂量 扫描 检查
序列 螺旋 轴扫 容积 横断 横断位 横断面 轴位 轴面 冠状 冠状位 冠状面 矢状 矢状位 矢状面 斜位 定位 定位像 定位图
侧位 正位 重建 重组 三维 三维重建 多平面 多平面重建 最大密度投影 表面 容积再现 骨 骨窗 骨算法 骨重建 软组织
软组织窗 脑窗 脑组织 脑组织窗 脑实质 肺窗 窗 算法 锐利 平滑 层厚 层 毫米 期 剂量 剂量报告 报告 截图 图像
"""
CHINESE = frozenset(_CHINESE.split())
# They join two words of the list, and stay only between such.
CHINESE_JOINTS = "及和与加"
