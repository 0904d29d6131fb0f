package licence

var provinces = map[string]names{
	"110000": {"北京市", "Beijing"}, "120000": {"天津市", "Tianjin"}, "130000": {"河北省", "Hebei"},
	"140000": {"山西省", "Shanxi"}, "150000": {"内蒙古自治区", "Inner Mongolia"}, "210000": {"辽宁省", "Liaoning"},
	"220000": {"吉林省", "Jilin"}, "230000": {"黑龙江省", "Heilongjiang"}, "310000": {"上海市", "Shanghai"},
	"320000": {"江苏省", "Jiangsu"}, "330000": {"浙江省", "Zhejiang"}, "340000": {"安徽省", "Anhui"},
	"350000": {"福建省", "Fujian"}, "360000": {"江西省", "Jiangxi"}, "370000": {"山东省", "Shandong"},
	"410000": {"河南省", "Henan"}, "420000": {"湖北省", "Hubei"}, "430000": {"湖南省", "Hunan"},
	"440000": {"广东省", "Guangdong"}, "450000": {"广西壮族自治区", "Guangxi"}, "460000": {"海南省", "Hainan"},
	"500000": {"重庆市", "Chongqing"}, "510000": {"四川省", "Sichuan"}, "520000": {"贵州省", "Guizhou"},
	"530000": {"云南省", "Yunnan"}, "540000": {"西藏自治区", "Tibet"}, "610000": {"陕西省", "Shaanxi"},
	"620000": {"甘肃省", "Gansu"}, "630000": {"青海省", "Qinghai"}, "640000": {"宁夏回族自治区", "Ningxia"},
	"650000": {"新疆维吾尔自治区", "Xinjiang"}, "710000": {"台湾省", "Taiwan"},
	"810000": {"香港特别行政区", "Hong Kong"}, "820000": {"澳门特别行政区", "Macao"},
}

// ProvinceName returns the names of a province by its six-digit GB/T 2260 code.
// All provinces of the standard are here: others may join the alliance.
func ProvinceName(code string) (cn, en string, ok bool) {
	n, ok := provinces[code]
	return n.cn, n.en, ok
}

var divisions = map[string]string{
	"310100": "市辖区", "310101": "黄浦区", "310104": "徐汇区", "310105": "长宁区", "310106": "静安区",
	"310107": "普陀区", "310109": "虹口区", "310110": "杨浦区", "310112": "闵行区", "310113": "宝山区",
	"310114": "嘉定区", "310115": "浦东新区", "310116": "金山区", "310117": "松江区", "310118": "青浦区",
	"310120": "奉贤区", "310151": "崇明区",
	"320100": "南京市", "320200": "无锡市", "320300": "徐州市", "320400": "常州市", "320500": "苏州市",
	"320600": "南通市", "320700": "连云港市", "320800": "淮安市", "320900": "盐城市", "321000": "扬州市",
	"321100": "镇江市", "321200": "泰州市", "321300": "宿迁市",
	"330100": "杭州市", "330200": "宁波市", "330300": "温州市", "330400": "嘉兴市", "330500": "湖州市",
	"330600": "绍兴市", "330700": "金华市", "330800": "衢州市", "330900": "舟山市", "331000": "台州市",
	"331100": "丽水市",
	"340100": "合肥市", "340200": "芜湖市", "340300": "蚌埠市", "340400": "淮南市", "340500": "马鞍山市",
	"340600": "淮北市", "340700": "铜陵市", "340800": "安庆市", "341000": "黄山市", "341100": "滁州市",
	"341200": "阜阳市", "341300": "宿州市", "341500": "六安市", "341600": "亳州市", "341700": "池州市",
	"341800": "宣城市",
}

// DivisionName returns the Chinese name of a province, or of a city of Jiangsu,
// Zhejiang and Anhui or a district of Shanghai, by its GB/T 2260 code (2024).
// It is for wording: a division that it does not know is not wrong.
func DivisionName(code string) (cn string, ok bool) {
	if n, ok := provinces[code]; ok {
		return n.cn, true
	}
	cn, ok = divisions[code]
	return cn, ok
}
