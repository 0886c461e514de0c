"""Formulas against ROOT: TTreeFormula's value, or refusal, for every entry."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from mvakit.errors import FormulaError, MvakitWarning
from mvakit.formula import Formula

# Six entries, and what ROOT 6.40 makes of them: TTreeFormula::GetNdata and EvalInstance on a TTree that holds them
# (x, arr[3]/F, one[1]/F, jet[n]/F, dyn[m]/F, jm[k][3]/F and v, vv as float; i, jidx, ww as int; y, E, mat[2][3]/D as
# double; flag/O; v, vv, ww as std::vector, name as std::string). A value per entry, a list per entry where the
# multiplicity is not 0, "always" for one that all entries share.
EVENTS: dict[str, Any] = {
    "x": [1.5, -0.25, 2.0, -3.125, 0.0, 0.75],
    "y": [-2.5, 4.0, 0.5, -1.25, 6.0, 3.0],
    "i": [3, -7, 0, 12, 5, -1],
    "E": [10.0, 2.5, 4.0, 8.0, 1.0, 20.0],
    "n": [3, 0, 1, 2, 4, 1],
    "m": [1, 2, 3, 2, 0, 3],
    "k": [2, 1, 0, 1, 2, 1],
    "one": [[2.5], [-0.75], [3.375], [0.5], [-2.75], [1.0]],
    "arr": [
        [-4.875, 0.875, 2.625],
        [-0.625, 2.25, 4.5],
        [-1.375, 3.875, -5.0],
        [4.875, -2.75, 2.0],
        [0.875, -2.5, 0.375],
        [-1.75, -4.125, 4.125],
    ],
    "mat": [
        [[-1.875, -3.875, 3.125], [0.375, 1.375, -3.625]],
        [[-4.75, -4.125, 3.125], [-1.5, -3.625, 1.75]],
        [[2.0, -3.25, 1.75], [-2.875, 3.625, 0.0]],
        [[4.875, 3.875, -2.5], [-4.25, 3.875, -2.375]],
        [[3.0, -3.75, 1.375], [4.625, 1.625, 4.5]],
        [[2.5, 2.625, 4.625], [1.125, 3.625, -4.625]],
    ],
    "vv": [[[0.5, -1.0], [2.25]], [[]], [], [[1.0], [], [-0.75, 3.0, 0.125]], [[], [4.5]], [[-2.0, -3.0, 1.5]]],
    "ww": [[[1, 2], [0]], [[2], [1, 1]], [[3]], [[], [1]], [[2, 0, 1]], []],
    "flag": [True, False, True, True, False, False],
    "name": ["Signal", "bkg", "Signal", "", "bkg", "sig"],
    "jet": [[-3.75, -2.0, -0.875], [], [0.625], [0.75, 1.125], [-0.125, -3.25, -1.0, -1.25], [0.25]],
    "dyn": [[0.75], [0.875, 3.125], [4.125, 3.0, -2.25], [-4.625, 1.0], [], [1.875, -4.5, 3.25]],
    "jidx": [[0, 1, 3], [], [0], [3, 1], [0, 1, 1, 0], [2]],
    "jm": [
        [[-4.5, 1.875, -0.625], [2.875, 0.5, 4.625]],
        [[-4.25, 3.125, 2.25]],
        [],
        [[0.875, -1.75, 0.375]],
        [[-0.5, 2.25, 2.5], [2.625, -1.25, -2.375]],
        [[2.375, 3.75, 0.75]],
    ],
    "v": [[-2.0], [4.625], [], [0.375, -2.25], [-4.875], []],
}
TYPES = {"x": "f4", "one": "f4", "arr": "f4", "i": "i4", "n": "i4", "m": "i4", "k": "i4", "flag": "?"}

TABLE = r"""
# precedence
10-3+2 => always 9
10-3-2 => always 5
2-3+4-5 => always -2
7%4*2 => always 7
7*4%3 => always 1
12%7%3 => always 0
10%4*2 => always 2
100/10/2 => always 5
20/2*5 => always 50
20*2/5 => always 8
2^3^2 => always 64
2**3**2 => always 64
2^3*2 => always 16
2*3^2 => always 18
-2^2 => always -4
(-2)^2 => always 4
2^-1 => always 0.5
2^-1^2 => always 0.25
-2%3 => always -2
-7%4 => always -3
(-7)%4 => always -3
-7.9%4 => always -3
7.9%-4 => error
6-2%4 => always 4
1<<2+1 => always 5
1<<2*2 => always 16
1+2<<3 => always 17
2<<1<<2 => always 32
64>>1>>2 => always 64
16>>1<<2 => always 1
1<<3>>1 => always 4
1<<2%3 => always 1
7%3<<1 => always 1
-4<<1 => always -8
-8>>60 => always -0
1<<64 => always 1
1<<65 => always 2
(1<<63)>>62 => always 2
-1&3 => always 3
-1|0 => always 1.84467441e+19
1.9&3 => always 1
1|2|4 => always 7
7&6&4 => always 4
5|8&7 => always 5
i&3==3 => 1 1 0 0 1 1
i|4&1 => 3 1.84467441e+19 0 12 5 1.84467441e+19
i&3>1 => 1 1 0 0 1 1
2<3&1 => always 1
3>2<1 => always 0
2>1>0 => always 1
1<2>0 => error
x<y<3 => 0 1 0 1 0 0
x<y>3 => error
x<(y>3) => 0 1 0 1 1 0
(x<y)>i => 0 1 0 0 0 1
x<1.5>0 => 0 1 0 1 1 1
x<y<=3 => always 1
x<=y<3 => always 1
x<=y<=3 => error
x>=y>=3 => error
5>4>=1 => always 1
1<=2==1 => always 0
1==1<2 => always 1
1!=0==1 => always 1
x==y==0 => 0 0 0 0 1 0
x!=y!=0 => always 1
x>0==1 => 1 0 1 0 0 1
1||0&&0 => always 1
1&&2&&0 => always 0
0||0||3 => always 1
1?2:0?3:4 => always 2
0?2:1?3:4 => always 3
0?2:0?3:4 => always 4
x>0?1:y>0?2:3 => 1 2 1 3 2 1
x>0?(y>0?1:2):3 => 2 3 1 3 3 1
x>0?y>0?1:2:3 => error
1+(1>0)?5:6 => always 5
1>0?5:6+1 => always 5
!x => 0 0 0 0 1 0
!!x => 1 1 1 1 0 1
-!x => -0 -0 -0 -0 -1 -0
!-x => error
!x^2 => 0 0 0 0 1 0
!x==0 => 1 1 1 1 0 1
!i>3 => always 0
!(i>3) => 1 1 1 0 0 1
-x => -1.5 0.25 -2 3.125 -0 -0.75
-x^2 => -2.25 -0.0625 -4 -9.765625 -0 -0.5625
-x*2 => -3 0.5 -4 6.25 -0 -1.5
-x-y => 1 -3.75 -2.5 4.375 -6 -3.75
x-y-1 => 3 -5.25 0.5 -2.875 -7 -3.25
x--y => -1 3.75 2.5 -4.375 6 3.75
x---y => 4 -4.25 1.5 -1.875 -6 -2.25
x+-y => 4 -4.25 1.5 -1.875 -6 -2.25
x-+y => 4 -4.25 1.5 -1.875 -6 -2.25
x++y => -1 3.75 2.5 -4.375 6 3.75
x- -y => -1 3.75 2.5 -4.375 6 3.75
x*-y => 3.75 1 -1 -3.90625 -0 -2.25
x*-y-1 => 2.75 0 -2 -4.90625 -1 -3.25
x/-y*2 => 1.2 0.125 -8 -5 -0 -0.5
x%-2 => error
x^-2 => 0.444444444 16 0.25 0.1024 inf 1.77777778
2*--x => error
+x => error
+3 => always 3
(+3)*2 => always 6
2*+3 => error
x-E-5 => -3.5 2.25 3 -6.125 4 -14.25
2*E-5 => 10 -5 -2 6 -8 30
2*E+5 => 25 10 13 21 7 45
E-5 => 5 -2.5 -1 3 -4 15
x/E-5 => 0.3 0.1 -2 -1.04166667 -0 0.05
-E-5 => -5 2.5 1 -3 4 -15
!E-5 => always 0
2*(E)-5 => 15 0 3 11 -3 35
2*E-x => 18.5 5.25 6 19.125 2 39.25
# numbers
.5 => always 0.5
5. => always 5
1e3 => always 1000
1E-3 => always 0.001
1.5e+3*2 => always 3000
3.e2 => always 300
0x10 => always 16
0XfF+1 => always 256
1 000 => always 1000
1.2.3 => error
0xG => error
1e5e3 => error
# what is not a formula
x=<y => error
x=y => error
x== => error
==x => error
x&& => error
?1:2 => error
1?2 => error
1?2: => error
() => error
(x => error
x) => error
x,y => error
min(1) => error
min(1,2,3) => error
pow(2) => error
sqrt() => error
TMath::Pi => error
true => error
nothing => error
# where mathematics has no value
1/0 => always 0
x/(x-x) => always 0
0^-1 => always inf
(-8)^(1/3) => always nan
sqrt(-4) => always 2
log(-1) => always 0
log(0) => always 0
log(x) => 0.405465108 0 0.693147181 0 0 -0.287682072
log10(x) => 0.176091259 0 0.301029996 0 0 -0.124938737
exp(800) => always 1.01423205e+304
exp(-800) => always 0
acos(2) => always 0
asin(-2) => always 0
acosh(0.5) => always 0
atanh(2) => always 0
atanh(1) => always inf
tan(pi/2) => always 1.63312394e+16
fmod(x,0) => always nan
min(0/0,1) => always 0
TMath::Sqrt(-4) => always nan
TMath::Log(-1) => always nan
TMath::Log(0) => always -inf
TMath::ASin(2) => always nan
int(1e30) => always -9.22337204e+18
# functions
abs(x) => 1.5 0.25 2 3.125 0 0.75
fabs(x) => 1.5 0.25 2 3.125 0 0.75
sq(x) => 2.25 0.0625 4 9.765625 0 0.5625
int(x) => 1 0 2 -3 0 0
int(-2.7) => always -2
sign(x) => 1 -1 1 -1 1 1
sign(-0.) => always 1
exp(x) => 4.48168907 0.778800783 7.3890561 0.0439369336 1 2.11700002
sin(x) => 0.997494987 -0.247403959 0.909297427 -0.0165918922 0 0.68163876
cos(x) => 0.0707372017 0.968912422 -0.416146837 -0.999862345 1 0.731688869
tan(x) => 14.1014199 -0.255341921 -2.18503986 0.0165941765 0 0.93159646
asin(x/4) => 0.384396774 -0.0625407618 0.523598776 -0.89666582 0 0.188616386
acos(x/4) => 1.18639955 1.63333709 1.04719755 2.46746215 1.57079633 1.38217994
atan(x) => 0.982793723 -0.244978663 1.10714872 -1.26109338 0 0.643501109
sinh(x) => 2.12927946 -0.252612317 3.62686041 -11.3579791 0 0.822316732
cosh(x) => 2.35240962 1.0314131 3.76219569 11.401916 1 1.29468328
tanh(x) => 0.905148254 -0.244918662 0.96402758 -0.996146531 0 0.635148952
asinh(x) => 1.19476322 -0.247466462 1.44363548 -1.85725085 0 0.693147181
acosh(abs(x)+1) => 1.56679924 0.693147181 1.76274717 2.09518603 0 1.15881036
atanh(x/4) => 0.39422868 -0.0625815715 0.549306144 -1.04857056 0 0.189744811
atan2(y,x) => -1.03037683 1.63321514 0.244978663 -2.76108628 1.57079633 1.32581766
pow(abs(x),y) => 0.362887369 0.00390625 1.41421356 0.240678598 0 0.421875
fmod(y,2) => -0.5 0 0.5 -1.25 0 1
min(x,y) => -2.5 -0.25 0.5 -3.125 0 0.75
max(x,y) => 1.5 4 2 -1.25 6 3
floor(y/4) => -1 1 0 -1 1 0
ceil(y/4) => -0 1 1 -0 2 1
round(y/5) => -1 1 0 -0 1 1
round(2.5) => always 3
round(-2.5) => always -3
rint(2.5) => always 2
trunc(-2.7) => always -2
cbrt(x) => 1.14471424 -0.629960525 1.25992105 -1.46200887 0 0.908560296
exp2(x) => 2.82842712 0.840896415 4 0.114625505 1 1.68179283
expm1(x) => 3.48168907 -0.221199217 6.3890561 -0.956063066 0 1.11700002
log2(abs(x)+1) => 1.32192809 0.321928095 1.5849625 2.04439412 0 0.807354922
log1p(abs(x)) => 0.916290732 0.223143551 1.09861229 1.41706602 0 0.559615788
hypot(x,y) => 2.91547595 4.00780489 2.06155281 3.365728 6 3.09232922
erf(x) => 0.966105146 -0.27632639 0.995322265 -0.999990103 0 0.711155634
erfc(x) => 0.0338948535 1.27632639 0.00467773498 1.9999901 1 0.288844366
tgamma(abs(x)+1) => 1.32934039 0.906402477 2 7.03548013 1 0.919062527
lgamma(abs(x)+1) => 0.28468287 -0.0982718364 0.693147181 1.95096594 0 -0.084401121
copysign(x,y) => -1.5 0.25 2 -3.125 0 0.75
remainder(y,3) => 0.5 1 0.5 -1.25 0 0
fdim(x,y) => 4 0 1.5 0 0 0
fmax(x,y) => 1.5 4 2 -1.25 6 3
isnan(x) => always 0
std::abs(x) => 1.5 0.25 2 3.125 0 0.75
std::pow(2,3) => always 8
std::sqrt(2) => error
ldexp(x,3) => 12 -2 16 -25 0 6
TMath::Abs(x) => 1.5 0.25 2 3.125 0 0.75
TMath::Sqrt(abs(x)) => 1.22474487 0.5 1.41421356 1.76776695 0 0.866025404
TMath::Power(2,x) => 2.82842712 0.840896415 4 0.114625505 1 1.68179283
TMath::Exp(x) => 4.48168907 0.778800783 7.3890561 0.0439369336 1 2.11700002
TMath::Log2(E) => 3.32192809 1.32192809 2 3 0 4.32192809
TMath::Hypot(x,y) => 2.91547595 4.00780489 2.06155281 3.365728 6 3.09232922
TMath::Max(x,y) => 1.5 4 2 -1.25 6 3
TMath::Min(x,y) => -2.5 -0.25 0.5 -3.125 0 0.75
TMath::Sign(2,x) => 2 -2 2 -2 2 2
TMath::Sign(1,-0.) => always -1
TMath::Even(i) => 0 0 1 1 0 0
TMath::Odd(i) => 1 1 0 0 1 1
TMath::Nint(2.5) => always 2
TMath::Nint(x) => 2 0 2 -3 0 1
TMath::CeilNint(x) => 2 0 2 -3 0 1
TMath::FloorNint(x) => 1 -1 2 -4 0 0
TMath::Sq(x) => 2.25 0.0625 4 9.765625 0 0.5625
TMath::Range(-1,1,x) => 1 -0.25 1 -1 0 0.75
TMath::IsNaN(x) => always 0
TMath::Finite(1/x) => always 1
TMath::ATan2(y,x) => -1.03037683 1.63321514 0.244978663 -2.76108628 1.57079633 1.32581766
TMath::Gaus(x) => 0.324652467 0.969233234 0.135335283 0.00757567744 1 0.754839602
TMath::Gaus(x,1,2) => 0.969233234 0.822577562 0.882496903 0.119199928 0.882496903 0.992217938
TMath::Gaus(x,1,2,1) => 0.193334058 0.164080484 0.176032663 0.0237769456 0.176032663 0.197918843
TMath::Gaus(x,1,0) => always 1e+30
TMath::BreitWigner(x) => 0.0636619772 0.509295818 0.0374482219 0.0158906651 0.636619772 0.195883007
TMath::BreitWigner(x,1,2) => 0.254647909 0.124218492 0.159154943 0.0176685453 0.159154943 0.299585775
TMath::BreitWignerRelativistic(x,3,2) => 0.16092874 0.113271266 0.215176236 0.358762511 0.112185901 0.122451518
TMath::Landau(x) => 0.124221094 0.180626128 0.104912989 0.000267974498 0.178854161 0.155601072
TMath::Landau(-6) => always 1.70510744e-64
TMath::Landau(x,1,2,1) => 0.086659845 0.0867044618 0.0826161377 0.0190282961 0.0886667736 0.0901458296
TMath::Landau(E,1,0.5) => 0.00372969108 0.0742476546 0.0295587124 0.00620424838 0.178854161 0.000794741188
TMath::Landau(100*E) => 1.01205719e-06 1.66004073e-05 6.41069016e-06 1.58520208e-06 0.000107611224 2.51676536e-07
TMath::Landau(1,0,0) => always 0
TMath::CauchyDist(x,1,2) => 0.149792888 0.114448498 0.127323954 0.0302926881 0.127323954 0.156706406
TMath::LaplaceDist(x,1,2) => 0.194700196 0.133815357 0.151632665 0.0317839332 0.151632665 0.220624226
TMath::LaplaceDistI(x,1,2) => 0.610599608 0.267630714 0.69673467 0.0635678665 0.30326533 0.441248451
TMath::Erf(x) => 0.966105146 -0.27632639 0.995322265 -0.999990103 0 0.711155634
TMath::Erfc(x) => 0.0338948535 1.27632639 0.00467773498 1.9999901 1 0.288844366
TMath::ErfInverse(x/4) => 0.345617115 -0.0554459488 0.476936276 -0.869641469 0 0.16772722
TMath::ErfcInverse(abs(x)/4+0.1) => 0.505134061 0.987624983 0.370807159 0.10563101 1.16308715 0.752094285
TMath::Freq(x) => 0.933192799 0.401293674 0.977249868 0.000889025299 0.5 0.773372648
TMath::NormQuantile(E/30) => -0.430727299 -1.38299413 -1.11077162 -0.622925723 -1.83391464 0.430727299
TMath::Gamma(E) => 362880 1.32934039 6 5040 1 1.216451e+17
TMath::Gamma(E,5) => 0.0318280573 0.924764754 0.734974085 0.133371674 0.993262053 3.45213582e-07
TMath::LnGamma(E) => 12.8018275 0.28468287 1.79175947 8.52516136 0 39.3398842
TMath::Beta(E,2) => 0.00909090909 0.114285714 0.05 0.0138888889 0.5 0.00238095238
TMath::BetaIncomplete(E/30,2,3) => 0.407407407 0.037181713 0.0886518519 0.290133333 0.00637407407 0.888888889
TMath::BetaDist(E/30,2,3) => 1.77777778 0.840277778 1.20177778 1.72088889 0.373777778 0.888888889
TMath::BetaDistI(E/30,2,3) => 0.407407407 0.037181713 0.0886518519 0.290133333 0.00637407407 0.888888889
TMath::BesselI0(x) => 1.6467232 1.01568613 2.27958531 5.40387421 1 1.14564674
TMath::BesselI1(x) => 0.981666428 -0.125979109 1.59063686 -4.42478774 0 0.401992457
TMath::BesselJ0(x) => 0.511827671 0.984435931 0.223890782 -0.299465404 1 0.864242273
TMath::BesselJ1(x) => 0.557936508 -0.124025977 0.576724808 -0.291148588 0 0.349243602
TMath::BesselK0(E) => 1.77800619e-05 0.0623475542 0.0111596761 0.000146470701 0.421024421 5.74123837e-10
TMath::BesselK1(E) => 1.86487739e-05 0.0738908157 0.0124834989 0.000155369217 0.601907232 5.88305734e-10
TMath::BesselY0(E) => 0.0556711674 0.498070358 -0.0169407446 0.223521489 0.0882569714 0.0626405967
TMath::BesselY1(E) => 0.249015424 0.145918138 0.397925709 -0.158060462 -0.781212821 -0.165511614
TMath::StruveH0(E) => 0.118743684 0.729957738 0.135014573 0.301988112 0.568656627 0.094393698
TMath::StruveL0(E/5) => 1.93743376 0.327240699 0.54645176 1.33959308 0.127890745 11.1310502
TMath::DiLog(x) => 2.37439527 -0.235900298 2.4674011 -1.99659375 0 0.978469393
TMath::Factorial(5) => always 120
TMath::Binomial(5,2) => always 10
TMath::Poisson(i,3) => 0.224041808 0 0.0497870684 5.52375804e-05 0.100818813 0
TMath::PoissonI(2.7,3) => always 0.224041808
TMath::Prob(E,5) => 0.0752352461 0.776495071 0.549415951 0.156235628 0.962565773 0.00124973056
TMath::Student(x,5) => 0.124517345 0.365720043 0.0650903103 0.0147396906 0.37960669 0.275698116
TMath::GammaDist(E,2,0,3) => 0.0396377704 0.120721725 0.117154284 0.0617630678 0.0796145901 0.00282807511
TMath::LogNormal(E,2,0,3) => 0.0166413516 0.0794576114 0.049354556 0.022108779 0.171537336 0.00636016463
TMath::KolmogorovProb(abs(x)/2) => 0.627167042 1 0.269999672 0.0151513483 1 0.998964855
TMath::Pi() => always 3.14159265
TMath::TwoPi() => always 6.28318531
TMath::PiOver2() => always 1.57079633
TMath::DegToRad() => always 0.0174532925
TMath::RadToDeg() => always 57.2957795
TMath::E() => always 2.71828183
TMath::Ln10() => always 2.30258509
TMath::Sqrt2() => always 1.41421356
TMath::C() => always 299792458
TMath::Hbar() => always 1.05457182e-34
TMath::K() => always 1.380649e-23
TMath::Qe() => always 1.60217663e-19
TMath::Na() => always 6.02214076e+23
pi => always 3.14159265
TVector2::Phi_mpi_pi(3*x) => -1.78318531 -0.75 -0.283185307 -3.09181469 0 2.25
TVector2::Phi_0_2pi(3*x) => 4.5 5.53318531 6 3.19137061 0 2.25
ROOT::VecOps::DeltaPhi(x,3*y) => -2.71681469 -0.316370614 -0.5 -0.625 -0.849555922 1.96681469
TMath::PiOver4() => always 0.785398163
TMath::InvPi() => always 0.318309886
TMath::LogE() => always 0.434294482
TMath::EulerGamma() => always 0.577215665
TMath::Ccgs() => always 2.99792458e+10
TMath::G() => always 6.6743e-11
TMath::Gcgs() => always 6.6743e-08
TMath::GhbarC() => always 6.70883e-39
TMath::H() => always 6.62607015e-34
TMath::Hcgs() => always 6.62607015e-27
TMath::Hbarcgs() => always 1.05457182e-27
TMath::HC() => always 1.98644586e-25
TMath::HCcgs() => always 1.98644586e-16
TMath::Kcgs() => always 1.380649e-16
TMath::Sigma() => always 5.670373e-08
TMath::R() => always 8.31446262
TMath::MWair() => always 28.9644
TMath::Rgair() => always 287.057996
TMath::QuietNaN() => always nan
TMath::Infinity() => always inf
TMath::Landau(-8+E/4) => 3.05020602e-39 1.1500611e-254 4.97667701e-175 1.70510744e-64 0 0.000673728616
TMath::Landau(-5.5-x) => 4.97667701e-175 1.19577211e-30 1.39654007e-288 0.0153442991 3.05020602e-39 9.53123027e-83
TMath::Landau(-5.6) => always 2.48015628e-43
TMath::Landau(-30) => always 0
TMath::Landau(0.95) => always 0.14731652
TMath::Landau(4.9) => always 0.0403388664
TMath::Landau(11.9) => always 0.00856107609
TMath::Landau(49) => always 0.000468880209
TMath::Landau(299) => always 1.1549365e-05
TMath::Landau(310) => always 1.07345899e-05
TMath::LogNormal(E,2) => 0.0102815107 0.0718391969 0.0392185048 0.014522779 0.19947114 0.00324831308
TMath::LogNormal(E,2,0.5) => 0.0111433 0.093922104 0.0468396335 0.0160111807 0.375688416 0.00339510551
TMath::LogNormal(x,1,2,3) => always 0
TMath::LogNormal(3,-1) => always 0
TMath::GammaDist(E,2) => 0.000453999298 0.205212497 0.0732625556 0.00268370102 0.367879441 4.12230724e-08
TMath::GammaDist(E,2,0.5) => 0.000711092384 0.270670566 0.105690842 0.00414813278 0.30326533 6.62662225e-08
TMath::GammaDist(x,1,2,3) => 0 0 0.333333333 0 0 0
TMath::GammaDist(3,-1) => always 0
TMath::LaplaceDist(x) => 0.11156508 0.389400392 0.0676676416 0.0219684668 0.5 0.236183276
TMath::LaplaceDist(x,0.5) => 0.183939721 0.236183276 0.11156508 0.0133245487 0.30326533 0.389400392
TMath::LaplaceDistI(x) => 0.88843492 0.389400392 0.932332358 0.0219684668 0.5 0.763816724
TMath::LaplaceDistI(x,0.5) => 0.816060279 0.236183276 0.88843492 0.0133245487 0.30326533 0.610599608
TMath::BreitWigner(x,0.5) => 0.127323954 0.195883007 0.0636619772 0.01188555 0.318309886 0.509295818
TMath::BreitWignerRelativistic(x,3) => 0.109222499 0.0670513722 0.175278018 0.621671156 0.0662161402 0.0743153525
TMath::StruveH1(E/5) => 0.646763728 0.0521737442 0.130122453 0.457047238 0.00846565411 1.06972666
TMath::StruveL1(E/5) => 1.10275979 0.0539421826 0.141713916 0.643027565 0.00851092489 9.16927781
exp10(x) => 31.6227766 0.562341325 100 0.000749894209 1 5.62341325
lround(2.5) => always 3
llround(-2.5) => always -3
lrint(2.5) => always 2
nearbyint(2.5) => always 2
nextafter(1,2)-1 => always 2.22044605e-16
j0(x) => 0.511827672 0.984435929 0.223890779 -0.299465401 1 0.864242275
j1(x) => 0.557936508 -0.124025977 0.576724808 -0.291148588 0 0.349243602
y0(E) => 0.0556711673 0.49807036 -0.0169407393 0.223521489 0.0882569642 0.0626405968
y1(E) => 0.249015424 0.145918138 0.397925711 -0.158060462 -0.781212821 -0.165511614
isinf(x) => always 0
isfinite(x) => always 1
signbit(x) => 0 1 0 1 0 0
std::isnan(x) => always 0
std::atan2(y,x) => -1.03037683 1.63321514 0.244978663 -2.76108628 1.57079633 1.32581766
std::fmod(y,2) => -0.5 0 0.5 -1.25 0 1
std::hypot(x,y) => 2.91547595 4.00780489 2.06155281 3.365728 6 3.09232922
std::fmax(x,y) => 1.5 4 2 -1.25 6 3
TMath::SignBit(x) => 0 1 0 1 0 0
TMath::Ldexp(x,3) => 12 -2 16 -25 0 6
TMath::ACosH(abs(x)+1) => 1.56679924 0.693147181 1.76274717 2.09518603 0 1.15881036
TMath::ASinH(x) => 1.19476322 -0.247466462 1.44363548 -1.85725085 0 0.693147181
TMath::ATanH(x/4) => 0.39422868 -0.0625815715 0.549306144 -1.04857056 0 0.189744811
TMath::SinH(x) => 2.12927946 -0.252612317 3.62686041 -11.3579791 0 0.822316732
TMath::CosH(x) => 2.35240962 1.0314131 3.76219569 11.401916 1 1.29468328
TMath::TanH(x) => 0.905148254 -0.244918662 0.96402758 -0.996146531 0 0.635148952
TMath::Sin(x) => 0.997494987 -0.247403959 0.909297427 -0.0165918922 0 0.68163876
TMath::Cos(x) => 0.0707372017 0.968912422 -0.416146837 -0.999862345 1 0.731688869
TMath::Tan(x) => 14.1014199 -0.255341921 -2.18503986 0.0165941765 0 0.93159646
TMath::ASin(x/4) => 0.384396774 -0.0625407618 0.523598776 -0.89666582 0 0.188616386
TMath::ACos(x/4) => 1.18639955 1.63333709 1.04719755 2.46746215 1.57079633 1.38217994
TMath::ATan(x) => 0.982793723 -0.244978663 1.10714872 -1.26109338 0 0.643501109
TMath::Log(E) => 2.30258509 0.916290732 1.38629436 2.07944154 0 2.99573227
TMath::Log10(E) => 1 0.397940009 0.602059991 0.903089987 0 1.30103
TMath::Ceil(x) => 2 -0 2 -3 0 1
TMath::Floor(x) => 1 -1 2 -4 0 0
TMath::Factorial(0) => always 1
TMath::Factorial(1) => always 1
TMath::Factorial(7) => always 5040
TMath::Binomial(-1,2) => always nan
TMath::Binomial(3,-1) => always nan
TMath::Binomial(2,3) => always nan
TMath::Binomial(0,0) => always 1
TMath::Binomial(6,3) => always 20
TMath::Poisson(-0.5,3) => always 0
TMath::Poisson(0,3) => always 0.0497870684
TMath::Poisson(2,-1) => always nan
TMath::Prob(3,0) => always 0
TMath::Prob(3,1) => always 0.0832645167
TMath::Prob(-1,3) => always 0
TMath::Prob(0,3) => always 1
TMath::Prob(0.5,2) => always 0.778800783
TMath::Student(1,0.5) => always 0
TMath::Student(1,1) => always 0.159154943
TMath::NormQuantile(0) => always 0
TMath::NormQuantile(1.5) => always 0
TMath::NormQuantile(0.9995) => always 3.29052673
TMath::BetaDist(-0.5,2,3) => always 0
TMath::BetaDist(0.5,2,-3) => always 0
TMath::BetaDist(0.5,0.5,3) => always 0.331456304
TMath::BetaDist(0.5,3,0.5) => always 0.331456304
TMath::BetaDistI(1.5,2,3) => always 0
TMath::BetaDistI(-0.5,2,3) => always 0
TMath::BetaDistI(0.9995,2,3) => always 1
TMath::BetaIncomplete(1.5,2,3) => always 1
TMath::BetaIncomplete(0.5,-2,3) => always 0
TMath::BetaIncomplete(0.5,2,-3) => always 0
TMath::BetaIncomplete(0.5,0.5,0.5) => always 0.5
TMath::ErfInverse(0.9995) => always 2.46126646
TMath::ErfInverse(2) => always 0
TMath::ErfcInverse(3) => always -0
TMath::BesselK0(-1) => always 0
TMath::BesselK0(0.5) => always 0.924419035
TMath::Gamma(-1.5) => always 2.3632718
TMath::Gamma(-2) => always inf
TMath::Gamma(2,-1) => always 0
TMath::Gamma(-2,1) => always 1
TMath::Gamma(0.5,0.5) => always 0.682689492
TMath::Gaus(38.5) => always 1.38338381e-322
TMath::Gaus(39.5) => always 0
TMath::DiLog(3) => always 2.32018042
TVector2::Phi_mpi_pi(pi) => always -3.14159265
TVector2::Phi_mpi_pi(-pi) => always -3.14159265
TVector2::Phi_mpi_pi(100) => always -0.530964915
TVector2::Phi_0_2pi(2*pi) => always 0
TVector2::Phi_0_2pi(0) => always 0
TVector2::Phi_0_2pi(-1) => always 5.28318531
TVector2::Phi_0_2pi(100) => always 5.75222039
ROOT::VecOps::DeltaPhi(0,4) => always -2.28318531
ROOT::VecOps::DeltaPhi(4,0) => always 2.28318531
ROOT::VecOps::DeltaPhi(0,pi) => always 3.14159265
ROOT::Math::VectorUtil::Phi_mpi_pi(3*x) => -1.78318531 -0.75 -0.283185307 -3.09181469 0 2.25
exp(700) => always 1.01423205e+304
exp(-699) => always 2.68013796e-304
exp(-700.5) => always 0
ROOT::VecOps::DeltaPhi(pi,0) => always -3.14159265
ROOT::VecOps::DeltaPhi(0,-pi) => always -3.14159265
TMath::LogNormal(2,1,2,3) => always 0
TMath::GammaDist(2,1,2,3) => always 0.333333333
TMath::GammaDist(2,2,2,3) => always 0
TMath::Landau(-22.1) => always 0
TMath::Landau(-21) => always 0
TMath::BetaDist(1,2,3) => always 0
TMath::BetaDist(0,1,3) => always 3
# entries and strings
Entry$ => 0 1 2 3 4 5
Entry$%2 => 0 1 0 1 0 1
LocalEntry$ => 0 1 2 3 4 5
Entries$ => always 6
Max$(Entry$) => 0 1 2 3 4 5
flag => 1 0 1 1 0 0
flag*2 => 2 0 2 2 0 0
flag&&x>0 => 1 0 1 0 0 0
name=="Signal" => 1 0 1 0 0 0
name!="Signal"&&x>0 => 0 0 0 0 0 1
"Signal"==name => 1 0 1 0 0 0
strstr(name,"ig") => 1 0 1 0 0 1
name=="" => 0 0 0 1 0 0
name==1 => error
# arrays
arr => [-4.875 0.875 2.625] [-0.625 2.25 4.5] [-1.375 3.875 -5] [4.875 -2.75 2] [0.875 -2.5 0.375] [-1.75 -4.125 4.125]
arr*2 => [-9.75 1.75 5.25] [-1.25 4.5 9] [-2.75 7.75 -10] [9.75 -5.5 4] [1.75 -5 0.75] [-3.5 -8.25 8.25]
arr[] => [-4.875 0.875 2.625] [-0.625 2.25 4.5] [-1.375 3.875 -5] [4.875 -2.75 2] [0.875 -2.5 0.375] [-1.75 -4.125 4.125]
arr[0] => [-4.875] [-0.625] [-1.375] [4.875] [0.875] [-1.75]
arr[2]-arr[0] => [7.5] [5.125] [-3.625] [-2.875] [-0.5] [5.875]
arr[0]+x => [-3.375] [-0.875] [0.625] [1.75] [0.875] [-1]
arr[0]*arr => [23.765625 -4.265625 -12.796875] [0.390625 -1.40625 -2.8125] [1.890625 -5.328125 6.875] [23.765625 -13.40625 9.75] [0.765625 -2.1875 0.328125] [3.0625 7.21875 -7.21875]
arr[3] => error
arr[1.9] => [0.875] [2.25] [3.875] [-2.75] [-2.5] [-4.125]
arr[i%3] => [-4.875] [nan] [-1.375] [4.875] [0.375] [nan]
i>=0&&i<3?arr[i]:7 => [7] [7] [-1.375] [7] [7] [7]
x>0&&arr[0]<0 => [1] [0] [1] [0] [0] [1]
one => 2.5 -0.75 3.375 0.5 -2.75 1
one*2 => 5 -1.5 6.75 1 -5.5 2
one+arr => [-2.375 nan nan] [-1.375 nan nan] [2 nan nan] [5.375 nan nan] [-1.875 nan nan] [-0.75 nan nan]
arr+one => [-2.375] [-1.375] [2] [5.375] [-1.875] [-0.75]
x[0] => 1.5 -0.25 2 -3.125 0 0.75
x[7] => 1.5 -0.25 2 -3.125 0 0.75
(arr)[1] => [0.875] [2.25] [3.875] [-2.75] [-2.5] [-4.125]
mat => [-1.875 -3.875 3.125 0.375 1.375 -3.625] [-4.75 -4.125 3.125 -1.5 -3.625 1.75] [2 -3.25 1.75 -2.875 3.625 0] [4.875 3.875 -2.5 -4.25 3.875 -2.375] [3 -3.75 1.375 4.625 1.625 4.5] [2.5 2.625 4.625 1.125 3.625 -4.625]
mat[1] => [0.375 1.375 -3.625] [-1.5 -3.625 1.75] [-2.875 3.625 0] [-4.25 3.875 -2.375] [4.625 1.625 4.5] [1.125 3.625 -4.625]
mat[][1] => [-3.875 1.375] [-4.125 -3.625] [-3.25 3.625] [3.875 3.875] [-3.75 1.625] [2.625 3.625]
mat[0][] => [-1.875 -3.875 3.125] [-4.75 -4.125 3.125] [2 -3.25 1.75] [4.875 3.875 -2.5] [3 -3.75 1.375] [2.5 2.625 4.625]
mat[1][2] => [-3.625] [1.75] [0] [-2.375] [4.5] [-4.625]
mat[1][3] => error
mat*arr => [9.140625 18.890625 -15.234375 0.328125 1.203125 -3.171875] [2.96875 2.578125 -1.953125 -3.375 -8.15625 3.9375] [-2.75 4.46875 -2.40625 -11.140625 14.046875 0] [23.765625 18.890625 -12.1875 11.6875 -10.65625 6.53125] [2.625 -3.28125 1.203125 -11.5625 -4.0625 -11.25] [-4.375 -4.59375 -8.09375 -4.640625 -14.953125 19.078125]
mat[0]*arr => [9.140625 -3.390625 8.203125] [2.96875 -9.28125 14.0625] [-2.75 -12.59375 -8.75] [23.765625 -10.65625 -5] [2.625 9.375 0.515625] [-4.375 -10.828125 19.078125]
mat[k&1] => [-1.875 -3.875 3.125] [-1.5 -3.625 1.75] [2 -3.25 1.75] [-4.25 3.875 -2.375] [3 -3.75 1.375] [1.125 3.625 -4.625]
mat[][k&1] => [-1.875 0.375] [-4.125 -3.625] [2 -2.875] [3.875 3.875] [3 4.625] [2.625 3.625]
mat[k&1][1] => [-3.875] [-3.625] [-3.25] [3.875] [-3.75] [3.625]
mat[1][k] => [-3.625] [-3.625] [-2.875] [3.875] [4.5] [3.625]
mat[1][i] => [-3.625] [1.75] [-2.875] [-2.375] [4.5] [-4.625]
jet => [-3.75 -2 -0.875] [] [0.625] [0.75 1.125] [-0.125 -3.25 -1 -1.25] [0.25]
jet>0 => [0 0 0] [] [1] [1 1] [0 0 0 0] [1]
jet[0] => [-3.75] [] [0.625] [0.75] [-0.125] [0.25]
jet[1] => [-2] [] [] [1.125] [-3.25] []
jet[0]+jet[1] => [-5.75] [] [] [1.875] [-3.375] []
jet[0]*arr => [18.28125 -3.28125 -9.84375] [] [-0.859375 2.421875 -3.125] [3.65625 -2.0625 1.5] [-0.109375 0.3125 -0.046875] [-0.4375 -1.03125 1.03125]
arr*jet[0] => [18.28125 -3.28125 -9.84375] [] [-0.859375 2.421875 -3.125] [3.65625 -2.0625 1.5] [-0.109375 0.3125 -0.046875] [-0.4375 -1.03125 1.03125]
jet*arr => [18.28125 -1.75 -2.296875] [] [-0.859375] [3.65625 -3.09375] [-0.109375 8.125 -0.375] [-0.4375]
jet+dyn => [-3] [] [4.75 nan nan] [-3.875 2.125] [] [2.125 nan nan]
dyn+jet => [-3 nan nan] [] [4.75] [-3.875 2.125] [] [2.125]
jet[0]+dyn => [-3] [] [4.75 3.625 -1.625] [-3.875 1.75] [] [2.125 -4.25 3.5]
jet+dyn[0] => [-3 -1.25 -0.125] [] [4.75] [-3.875 -3.5] [] [2.125]
jet*one => [-9.375 nan nan] [] [2.109375] [0.375 nan] [0.34375 nan nan nan] [0.25]
jet*x => [-5.625 -3 -1.3125] [] [1.25] [-2.34375 -3.515625] [-0 -0 -0 -0] [0.1875]
jet[jidx] => [-3.75 -2 nan] [] [0.625] [nan 1.125] [-0.125 -3.25 -3.25 -0.125] [nan]
jet[jidx]*2 => [-7.5 -4 nan] [] [1.25] [nan 2.25] [-0.25 -6.5 -6.5 -0.25] [nan]
jet[n-1] => [-0.875] [nan] [0.625] [1.125] [-1.25] [0.25]
jet[Length$(jet)-1] => [-0.875] [nan] [0.625] [1.125] [-1.25] [0.25]
jet[k&1]*arr => [18.28125 -3.28125 -9.84375] [nan nan nan] [-0.859375 2.421875 -3.125] [5.484375 -3.09375 2.25] [-0.109375 0.3125 -0.046875] [nan nan nan]
arr[jet>0]*jet => [18.28125 9.75 4.265625] [] [2.421875] [-2.0625 -3.09375] [-0.109375 -2.84375 -0.875 -1.09375] [-1.03125]
jm => [-4.5 1.875 -0.625 2.875 0.5 4.625] [-4.25 3.125 2.25] [] [0.875 -1.75 0.375] [-0.5 2.25 2.5 2.625 -1.25 -2.375] [2.375 3.75 0.75]
jm[0] => [-4.5 1.875 -0.625] [-4.25 3.125 2.25] [] [0.875 -1.75 0.375] [-0.5 2.25 2.5] [2.375 3.75 0.75]
jm[][1] => [1.875 0.5] [3.125] [] [-1.75] [2.25 -1.25] [3.75]
jm[0][1] => [1.875] [3.125] [] [-1.75] [2.25] [3.75]
jm*jet => [16.875 -7.03125 2.34375 -5.75 -1 -9.25] [] [] [0.65625 -1.3125 0.28125 nan nan nan] [0.0625 -0.28125 -0.3125 -8.53125 4.0625 7.71875] [0.59375 0.9375 0.1875]
jet*jm => [16.875 -7.03125 2.34375 -5.75 -1 -9.25] [] [] [0.65625 -1.3125 0.28125] [0.0625 -0.28125 -0.3125 -8.53125 4.0625 7.71875] [0.59375 0.9375 0.1875]
jm[][k&1] => [-4.5 2.875] [3.125] [] [-1.75] [-0.5 2.625] [3.75]
jm[0]*mat => [8.4375 -7.265625 -1.953125 1.078125 0.6875 -16.765625] [20.1875 -12.890625 7.03125 nan nan nan] [] [4.265625 -6.78125 -0.9375 nan nan nan] [-1.5 -8.4375 3.4375 12.140625 -2.03125 -10.6875] [5.9375 9.84375 3.46875 nan nan nan]
v => [-2] [4.625] [] [0.375 -2.25] [-4.875] []
v+dyn => [-1.25] [5.5 nan] [] [-4.25 -1.25] [] []
v*arr => [9.75] [-2.890625] [] [1.828125 6.1875] [-4.265625] []
vv => [0.5 -1 2.25] [] [] [1 -0.75 3 0.125] [4.5] [-2 -3 1.5]
vv[0] => [0.5 -1] [] [] [1] [] [-2 -3 1.5]
vv[][0] => [0.5 2.25] [] [] [1 -0.75] [4.5] [-2]
vv[][1] => [-1] [] [] [3] [] [-3]
vv[0][0] => [0.5] [nan] [] [1] [0] [-2]
vv*2 => [1 -2 4.5] [] [] [2 -1.5 6 0.25] [9] [-4 -6 3]
vv*x => [0.75 -1.5 3.375] [] [] [-3.125 2.34375 -9.375 -0.390625] [0] [-1.5 -2.25 1.125]
vv*arr => [-2.4375 4.875 1.96875] [] [] [4.875 -1.5 6 0.25] [-11.25] [3.5 5.25 -2.625]
vv*jet => [-1.875 3.75 -4.5] [] [] [0.75] [-14.625] [-0.5 -0.75 0.375]
vv[0]*arr => [-2.4375 -0.875] [] [] [4.875 nan nan] [] [3.5 12.375 6.1875]
vv>0&&x>0 => [1 0 1] [] [] [0 0 0 0] [0] [0 0 1]
v[ww] => [nan nan -2] [nan nan nan] [nan] [-2.25] [nan -4.875 nan] []
vv.vv => [0.5 -1 2.25] [] [] [1 -0.75 3 0.125] [4.5] [-2 -3 1.5]
jet.jet => [-3.75 -2 -0.875] [] [0.625] [0.75 1.125] [-0.125 -3.25 -1 -1.25] [0.25]
jet[arr>0] => [-3.75 -2 -2] [nan nan nan] [0.625 nan 0.625] [1.125 0.75 1.125] [-3.25 -0.125 -3.25] [0.25 0.25 nan]
vv*jet[0] => [-1.875 3.75 -8.4375] [] [] [0.75 -0.5625 2.25 0.09375] [-0.5625] [-0.5 -0.75 0.375]
vv*jet[k&1] => [-1.875 3.75 -8.4375] [] [] [1.125 -0.84375 3.375 0.140625] [-0.5625] [nan nan nan]
vv*jm => [-2.25 -1.875 6.46875 nan nan] [] [] [0.875 nan nan] [11.8125 nan nan] [-4.75 -11.25 1.125]
vv-vv[0] => [0 0 nan] [] [] [0 nan nan nan] [] [0 0 0]
vv[0]-vv => [0 0 nan] [] [] [0 nan nan nan] [] [0 0 0]
jet[arr>0]*x => [-5.625 -3 -3] [nan nan nan] [1.25 nan 1.25] [-3.515625 -2.34375 -3.515625] [-0 -0 -0] [0.1875 0.1875 nan]
mat[0]*jet[0] => [7.03125 14.53125 -11.71875] [] [1.25 -2.03125 1.09375] [3.65625 2.90625 -1.875] [-0.375 0.46875 -0.171875] [0.625 0.65625 1.15625]
vv*dyn => [0.375 -0.75] [] [] [-4.625] [] [-3.75 -5.625 2.8125]
vv*mat => [-0.9375 3.875 0.84375 nan nan] [] [] [4.875 nan nan] [20.8125 nan nan] [-5 -7.875 6.9375]
ww*jet => [-3.75 -7.5 -0] [] [1.875] [1.125] [-0.25 -0 -0.125] []
vv+ww => [1.5 1 2.25] [nan nan nan] [] [nan] [nan nan nan] []
v*vv => [-1 2 nan] [] [] [0.375] [nan] []
# counting
Sum$(jet) => -6.625 0 0.625 1.875 -5.625 0.25
Sum$(jet>0) => 0 0 1 2 0 1
Sum$(jet*arr) => 14.234375 0 -0.859375 0.5625 7.640625 -0.4375
Sum$(jet*(Iteration$<2)) => -5.75 0 0.625 1.875 -3.375 0.25
Sum$(arr) => -1.375 6.125 -2.5 4.125 -1.25 -1.75
Sum$(mat[1]) => -1.875 -3.375 0.75 -2.75 10.75 0.125
Sum$(x) => 1.5 -0.25 2 -3.125 0 0.75
Sum$(1) => always 1
Sum$(jet[0]) => -3.75 0 0.625 0.75 -0.125 0.25
Sum$(Sum$(jet)*arr) => 9.109375 0 -1.5625 7.734375 7.03125 -0.4375
Sum$(vv) => 1.75 0 0 3.375 4.5 -3.5
Sum$(vv[0]) => -0.5 0 0 1 0 -3.5
Sum$(vv[][0]) => 2.75 0 0 0.25 4.5 -2
Sum$(vv*x) => 2.625 0 0 -10.546875 0 -2.625
Sum$(TMath::Log(jet)) => nan 0 -0.470003629 -0.169899037 nan -1.38629436
Length$(jet) => 3 0 1 2 4 1
Length$(arr) => always 3
Length$(mat) => always 6
Length$(x) => always 1
Length$(jm) => 6 3 0 3 6 3
Length$(jet[1]) => 1 0 0 1 1 0
Length$(jet>0) => 3 0 1 2 4 1
Length$(vv) => 3 0 0 4 1 3
Length$(vv[0]) => 2 0 0 1 0 3
Length$ => always 1
Length$*jet => [-11.25 -6 -2.625] [] [0.625] [1.5 2.25] [-0.5 -13 -4 -5] [0.25]
Length$+arr => [-1.875 3.875 5.625] [2.375 5.25 7.5] [1.625 6.875 -2] [7.875 0.25 5] [3.875 0.5 3.375] [1.25 -1.125 7.125]
Max$(jet) => -0.875 0 0.625 1.125 -0.125 0.25
Max$(TMath::Log(arr)) => nan nan nan 1.5841201 -0.133531393 nan
Min$(TMath::Log(arr)) => nan nan nan 0.693147181 -0.980829253 nan
Min$(jet) => -3.75 0 0.625 0.75 -3.25 0.25
Min$(arr) => -4.875 -0.625 -5 -2.75 -2.5 -4.125
Max$(jet)-Min$(jet) => 2.875 0 0 0.375 3.125 0
Max$(vv) => 2.25 0 0 3 4.5 1.5
jet/Max$(jet) => [4.28571429 2.28571429 1] [] [1] [0.666666667 1] [1 26 8 10] [1]
jet-Sum$(jet)/Length$(jet) => [-1.54166667 0.208333333 1.33333333] [] [0] [-0.1875 0.1875] [1.28125 -1.84375 0.40625 0.15625] [0]
MinIf$(jet,jet>0) => 0 0 0.625 0.75 0 0.25
MaxIf$(jet,jet<0) => -0.875 0 0 0 -0.125 0
MaxIf$(jet,x>0) => -0.875 0 0.625 0 0 0.25
MaxIf$(arr,jet>0) => 0 0 -1.375 4.875 0 -1.75
MaxIf$(jet,dyn>0) => -3.75 0 0.625 1.125 0 0.25
MaxIf$(jet,jet>0)+1 => 1 1 1.625 2.125 1 1.25
Alt$(jet,0) => -3.75 0 0.625 0.75 -0.125 0.25
Alt$(jet[1],-9) => -2 -9 -9 1.125 -3.25 -9
Alt$(jet[1],-9)+arr => [-6.875 -8.125 -6.375] [-9.625 -6.75 -4.5] [-10.375 -5.125 -14] [6 -11.75 -7] [-2.375 -11.5 -8.625] [-10.75 -13.125 -4.875]
Alt$(jet,-9)+arr => [-8.625 -1.125 1.75] [-9.625 -6.75 -4.5] [-0.75 -5.125 -14] [5.625 -1.625 -7] [0.75 -5.75 -0.625] [-1.5 -13.125 -4.875]
Alt$(jet[1],x)*2 => -4 -0.5 4 2.25 -6.5 1.5
Alt$(jet[0],arr[0]) => [-3.75] [-0.625] [0.625] [0.75] [-0.125] [0.25]
Alt$(jet,Length$)+arr => [-8.625 -1.125 1.75] [2.375 5.25 7.5] [-0.75 6.875 -2] [5.625 -1.625 5] [0.75 -5.75 -0.625] [-1.5 -1.125 7.125]
Alt$(jet[0],arr) => error
Alt$(vv[][0],-9) => 0.5 -9 -9 1 4.5 -2
Sum$(Alt$(jet,-9)+arr) => -8 -20.875 -19.875 -3 -5.625 -19.5
Iteration$ => [0] [0] [0] [0] [0] [0]
Iteration$*jet => [-0 -2 -1.75] [] [0] [0 1.125] [-0 -3.25 -2 -3.75] [0]
Iteration$*mat => [-0 -3.875 6.25 1.125 5.5 -18.125] [-0 -4.125 6.25 -4.5 -14.5 8.75] [0 -3.25 3.5 -8.625 14.5 0] [0 3.875 -5 -12.75 15.5 -11.875] [0 -3.75 2.75 13.875 6.5 22.5] [0 2.625 9.25 3.375 14.5 -23.125]
Length$(jet)>1?Max$(jet):-1 => -0.875 -1 -1 1.125 -0.125 -1
@v.size() => 1 1 0 2 1 0
v@.size() => 1 1 0 2 1 0
@vv.size() => 2 1 0 3 2 1
"""


def rows() -> list[Any]:
    found = []
    for line in TABLE.splitlines():
        if line and not line.startswith("#"):
            text, _, expected = line.partition(" => ")
            found.append(pytest.param(text, expected, id=text))
    return found


@pytest.fixture(scope="module")
def columns() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, values in EVENTS.items():
        if name in ("jet", "dyn", "jidx", "v", "vv", "ww", "jm", "name"):
            found[name] = ak.Array(values)
        else:
            found[name] = np.array(values, dtype=TYPES.get(name, "f8"))
    found["jm"] = ak.to_regular(found["jm"], axis=2)
    return found


def as_lists(value: Any) -> list[list[float]]:
    return [[x] for x in value.tolist()] if isinstance(value, np.ndarray) else ak.to_list(value)


def evaluate(text: str, columns: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MvakitWarning)
        return Formula(text).evaluate(columns)


def assert_same(value: Any, expected: list[list[float]], rtol: float = 1e-8) -> None:
    found = as_lists(value)
    assert [len(entry) for entry in found] == [len(entry) for entry in expected]
    for entry, (mine, root) in enumerate(zip(found, expected, strict=True)):
        np.testing.assert_allclose(np.array(mine, float), root, rtol=rtol, err_msg=f"entry {entry}")


@pytest.mark.parametrize(("text", "expected"), rows())
def test_value_is_that_of_root(text: str, expected: str, columns: dict[str, Any]) -> None:
    if expected == "error":
        with pytest.raises(FormulaError):
            evaluate(text, columns)
        return
    value = evaluate(text, columns)
    if expected.startswith("["):
        assert isinstance(value, ak.Array)
        lists = [[float(x) for x in entry.split()] for entry in expected[1:-1].split("] [")]
    else:
        assert isinstance(value, np.ndarray)
        assert value.shape == (6,)
        numbers = expected.removeprefix("always ").split()
        lists = [[float(x)] for x in numbers * (6 // len(numbers))]
    assert_same(value, lists, rtol=1e-6 if "Bessel" in text else 1e-8)  # ROOT's are approximations


def agree(expected: Path, columns: Any) -> None:
    wrong = []
    for text, root in json.loads(expected.read_text()).items():
        try:
            value = evaluate(text, columns)
        except FormulaError:
            if "error" not in root:
                wrong.append(text)
            continue
        try:
            assert "error" not in root
            assert isinstance(value, np.ndarray) == (root["multiplicity"] == 0)
            assert_same(value, [[float(x) for x in entry] for entry in root["values"]])
        except AssertionError:
            wrong.append(text)
    assert not wrong


def test_every_expression_on_scalars_and_arrays(reference: Path) -> None:
    with uproot.open(reference / "formula" / "formula.root") as file:
        columns = file["t"].arrays()
    agree(reference / "formula" / "expected.json", columns)


def test_every_expression_on_numpy_columns(reference: Path) -> None:
    with uproot.open(reference / "formula" / "formula.root") as file:
        columns = file["t"].arrays(library="np")
    agree(reference / "formula" / "expected.json", columns)


@pytest.mark.parametrize("leaf_lists", ["records", "dotted names", "structured arrays"])
def test_every_expression_on_nested_vectors_and_a_friend(reference: Path, leaf_lists: str) -> None:
    folder = reference / "formula"
    with uproot.open(folder / "formula_nested.root") as file, uproot.open(folder / "formula_friend.root") as friend:
        tree, other = file["t"].arrays(), friend["u"].arrays()
        structured = file["t"]["ev"].array(library="np")
    columns = {name: tree[name] for name in tree.fields if name != "ev"}
    if leaf_lists == "records":
        columns["ev"] = tree["ev"]
    elif leaf_lists == "dotted names":
        columns.update({f"ev.{name}": tree["ev"][name] for name in tree["ev"].fields})
    else:
        columns["ev"] = structured
    columns.update({f"u.{name}": other[name] for name in other.fields})
    agree(folder / "nested_expected.json", columns)


def test_bits_of_a_long_integer(reference: Path) -> None:
    with uproot.open(reference / "formula" / "formula.root") as file:
        column = file["t"]["l"].array(library="np")
    value = Formula("l").evaluate({"l": column})
    assert isinstance(value, np.ndarray)
    assert value.dtype == np.int64
    np.testing.assert_array_equal(value, column)
