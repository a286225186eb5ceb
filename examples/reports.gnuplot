# Draws two of the reports in reports.sql, from what psql --csv prints of them:
# headcount.csv and joiners.csv in the current directory become two .svg.  Called
# by ./run reports.

set datafile separator comma
set datafile missing ''
set terminal svg size 760,380 font 'sans-serif,13' background '#ffffff'
set border 3 linewidth 0.5
set bmargin 3.5
set xtics nomirror scale 0
set ytics nomirror
set grid ytics linewidth 0.5 linecolor '#dddddd'
set boxwidth 0.75
set style fill solid noborder

month(date) = date[6:7] . "\n" . date[1:4]

# colours that the colour-blind can tell apart
array colour[8] = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00', '#f0e442', '#999999']

set output 'headcount.svg'
set title 'Active people by department, on the first of each month'
set key outside right center invert reverse Left samplen 1 spacing 1.2
set style data histograms
set style histogram rowstacked
set yrange [0:*]
stats 'headcount.csv' skip 1 nooutput
plot for [i = 2 : STATS_columns] 'headcount.csv' using i:xtic(month(strcol(1))) title columnheader(i) linecolor rgb colour[i - 1]

set output 'joiners.svg'
set title 'Joined and left, month by month'
set key outside right center noinvert reverse Left samplen 1 spacing 1.2
set style data boxes
set border 0
unset ytics
unset grid
set yrange [*:*]
set offsets 0, 0, 1.5, 1.5
set xzeroaxis linewidth 0.5 linetype -1
plot 'joiners.csv' using 0:2:xtic(month(strcol(1))) title columnheader(2) linecolor rgb colour[1], \
	'' using 0:(-$3) title columnheader(3) linecolor rgb colour[6], \
	'' skip 1 using 0:($2 + 0.8):(strcol(2)) with labels font ',11' notitle, \
	'' skip 1 using 0:(-$3 - 0.8):(strcol(3)) with labels font ',11' notitle
