"""Write a tree with ROOT, with names and layouts that only ROOT writes, and what ROOT says they hold.

Makes written_by_root.root and written_by_root.json; to be run with ROOT 6: python make_written_by_root.py
"""

from __future__ import annotations

import json
from pathlib import Path

import ROOT

ENTRIES = 7
EXPRESSIONS = [
    "ev.pt",
    "mu.pt",
    "ev.w",
    "w",
    "n",
    "k",
    "leafname",
    "brname",
    "brname.leafname",
    "dot.name",
    "lv.fE",
    "fE",
    "fP.fX",
    "lv.fP.fX",
    "pv.fX",
    "d32",
    "two",
    "jets",
    "p.fLineColor",
    "q.fLineColor",
    "nm.fUniqueID",
    "tracks.fUniqueID",
]

HERE = Path(__file__).parent
ROOT.gROOT.SetBatch(True)
file = ROOT.TFile(str(HERE / "written_by_root.root"), "recreate")
ROOT.gInterpreter.ProcessLine("""
#include "TAttLine.h"
#include "TVector2.h"
struct Ev { double pt; float w[3]; int n; };
Ev ev; Ev mu; float br; int nj; float jets[10]; float mat[10][2]; float two[2][3]; Double32_t d32; std::string s; char cs[20];
std::vector<float> v; std::vector<std::vector<float>> vv; std::vector<std::string> vs;
TLorentzVector* lv = new TLorentzVector(); TVector2* pv = new TVector2(); TAttLine* p = new TAttLine();
TAttLine* q = new TAttLine(); TNamed* nm = new TNamed(); TClonesArray* tracks = new TClonesArray("TNamed");
TTree* t = new TTree("t", "t");
""")
ROOT.gInterpreter.ProcessLine("""
t->Branch("ev", &ev, "pt/D:w[3]/F:n/I"); t->Branch("mu", &mu, "pt/D:u[3]/F:k/I"); t->Branch("brname", &br, "leafname/F");
t->Branch("dot.name", &br, "dot.name/F"); t->Branch("nj", &nj, "nj/I"); t->Branch("jets", jets, "jets[nj]/F");
t->Branch("mat", mat, "mat[nj][2]/F"); t->Branch("two", two, "two[2][3]/F"); t->Branch("d32", &d32, "d32/d");
t->Branch("s", &s); t->Branch("cs", cs, "cs/C"); t->Branch("v", &v); t->Branch("vv", &vv); t->Branch("vs", &vs);
t->Branch("lv", &lv); t->Branch("pv.", &pv); t->Branch("p", &p, 32000, 99); t->Branch("q.", &q, 32000, 99);
t->Branch("nm", &nm, 32000, 99); t->Branch("tracks", &tracks, 32000, 2);
""")
ROOT.gInterpreter.ProcessLine(f"""
for (int i = 0; i < {ENTRIES}; i++) {{
  ev.pt = i * 1.5; ev.n = i; mu.pt = -i; mu.n = 100 + i; br = i * .25; nj = i % 3; d32 = i * .5;
  for (int j = 0; j < 3; j++) {{ ev.w[j] = (j + 1) * i; mu.w[j] = 0; }}
  for (int j = 0; j < nj; j++) {{ jets[j] = 10 * i + j; mat[j][0] = j; mat[j][1] = -j; }}
  for (int j = 0; j < 6; j++) two[j / 3][j % 3] = i * 10 + j;
  v.clear(); vv.clear(); vs.clear();
  for (int j = 0; j < (i * 7) % 4; j++) {{
    v.push_back(j + i * .5); vs.push_back(j % 2 ? "odd" : "even"); vv.push_back(std::vector<float>(j, 1.f * i));
  }}
  s = i % 2 ? "Signal" : "Background"; strcpy(cs, i % 2 ? "sig" : "bkg");
  lv->SetPxPyPzE(i, 2 * i, 3 * i, 4 * i); pv->Set(1. * i, 2. * i); p->SetLineColor(i); q->SetLineColor(10 * i);
  nm->SetUniqueID(i); tracks->Clear();
  for (int j = 0; j < i % 3; j++) tracks->ConstructedAt(j)->SetUniqueID(10 * i + j);
  t->Fill();
}}
t->Write();
""")
found = {}
for expression in EXPRESSIONS:
    count = ROOT.t.Draw(expression, "", "goff")
    found[expression] = [ROOT.t.GetV1()[i] for i in range(count)]
(HERE / "written_by_root.json").write_text(json.dumps(found, indent=1).replace(",\n  ", ", ") + "\n")
file.Close()
