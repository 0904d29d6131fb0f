// Invented names. Three rare characters in a row, drawn from a fixed set, make
// a trade name that no register is likely to hold; the people do not exist.

package sandbox

var (
	tradeChars = []rune("澄砚岫翎屿沅珩杪棠霁筠瀛芷弈昀璟旻溯煦岚")
	surnames   = []rune("苏陆沈顾江裴温简凌阮祁席")
	givenFirst = []rune("砚疏叙予若清云景望知")
	givenLast  = []rune("秋川遥舟宁澈屿棠然南")

	streets = []string{"听潮路", "望岫路", "澄江大道", "棠梨街", "云栖巷", "知雨路", "砚池路"}

	// trades pair the word in the name with the scope of business.
	trades = []struct{ word, scope string }{
		{"信息科技", "软件开发；信息系统集成服务；数据处理服务"},
		{"食品", "食品生产；食品销售；农副产品销售"},
		{"精密机械", "机械零件加工；通用设备制造；机械设备销售"},
		{"供应链管理", "供应链管理服务；国内货物运输代理；普通货物仓储服务"},
		{"文化传播", "组织文化艺术交流活动；会议及展览服务；广告制作"},
		{"新材料", "新材料技术研发；合成材料制造；化工产品销售（不含许可类化工产品）"},
		{"环境工程", "环境保护专用设备制造；水污染治理；工程管理服务"},
		{"餐饮管理", "餐饮管理；餐饮服务；食品互联网销售"},
	}
)

// tradeName returns the nth trade name; the first 8000 differ.
func tradeName(n uint64) string {
	size := uint64(len(tradeChars))
	return string([]rune{tradeChars[n%size], tradeChars[(n/size+n*7)%size], tradeChars[(n/size/size+n*3)%size]})
}

func personName(n uint64) string {
	a, b, c := uint64(len(surnames)), uint64(len(givenFirst)), uint64(len(givenLast))
	return string([]rune{surnames[n%a], givenFirst[n/a%b], givenLast[(n/a/b+n)%c]})
}
