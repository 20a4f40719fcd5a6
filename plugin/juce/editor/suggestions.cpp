// SPDX-License-Identifier: GPL-3.0-or-later
#include "suggestions.hpp"

namespace bandmate::plugin
{

namespace
{

struct Family
{
    const char* name;
    juce::StringArray words;
};

// Of the families that the bundled model has learnt; others take any words.
const std::vector<Family>& families()
{
    static const std::vector<Family> all{
        {"Piano",
         {"warm piano", "concert grand", "upright piano", "jazz piano", "ballad piano", "bright piano"}},
        {"Electric piano",
         {"fender rhodes", "wurlitzer", "neo soul electric piano", "fm piano", "lofi keys"}},
        {"Organ", {"hammond organ", "gospel organ", "church organ", "rock organ"}},
        {"Guitar", {"nylon guitar", "steel string guitar", "jazz guitar", "clean guitar", "flamenco"}},
        {"Mallets", {"vibraphone", "marimba", "glockenspiel", "kalimba", "music box", "celesta"}},
        {"Strings",
         {"string ensemble", "slow strings", "cinematic strings", "tremolo strings", "cello section"}},
        {"Brass", {"brass section", "trumpet", "trombone", "french horn", "muted trumpet"}},
        {"Winds", {"concert flute", "pan flute", "ocarina", "tenor saxophone", "clarinet", "oboe"}},
        {"Voices", {"choir aahs", "angelic voices", "vocal ensemble"}},
        {"Plucked", {"concert harp", "celtic harp", "koto", "harpsichord", "clavinet"}},
        {"Synth lead", {"saw lead", "square lead", "analog lead", "chiptune", "retro synth"}},
        {"Synth pad", {"warm pad", "ambient pad", "dreamy pad", "drone", "evolving pad"}},
        {"Bass", {"fingered bass", "upright bass", "synth bass", "sub bass", "funk bass"}},
        {"Drums", {"drum kit", "rock drums", "hip hop drums", "808 drum machine", "electronic drums"}},
    };
    return all;
}

} // namespace

juce::String random_suggestion()
{
    auto& random = juce::Random::getSystemRandom();
    const auto& family =
        families()[static_cast<size_t> (random.nextInt (static_cast<int> (families().size())))];
    return family.words[random.nextInt (family.words.size())];
}

juce::PopupMenu suggestion_menu (std::function<void (const juce::String&)> on_choose)
{
    juce::PopupMenu menu;
    menu.addItem ("Surprise me", [on_choose] { on_choose (random_suggestion()); });
    menu.addSeparator();
    for (const auto& family : families())
    {
        juce::PopupMenu words;
        for (const auto& word : family.words)
            words.addItem (word, [on_choose, word] { on_choose (word); });
        menu.addSubMenu (family.name, words);
    }
    return menu;
}

} // namespace bandmate::plugin
