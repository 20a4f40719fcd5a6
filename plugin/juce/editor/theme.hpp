// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <juce_gui_basics/juce_gui_basics.h>

// The editor's colours, type and measures. All measures are in the design's own pixels: the whole editor is
// scaled as one.
namespace bandmate::plugin::theme
{

inline const juce::Colour background{0xff121417};
inline const juce::Colour panel{0xff1a1d22};
inline const juce::Colour raised{0xff262b32};
inline const juce::Colour hovered{0xff2f353e};
inline const juce::Colour outline{0xff363d47};
inline const juce::Colour groove{0xff0d0f11};
inline const juce::Colour text{0xffeceef1};
inline const juce::Colour dim{0xffa2abb7}; // 7:1 on the panel
inline const juce::Colour accent{0xff5ad7b3};
inline const juce::Colour on_accent{0xff0b1f19};
inline const juce::Colour warning{0xffffb84d};
inline const juce::Colour danger{0xffff6b5e};

inline constexpr int width = 1080;
inline constexpr int height = 720;
inline constexpr int margin = 16;
inline constexpr int gap = 12;
inline constexpr float corner = 8.0f;
inline constexpr float small_corner = 5.0f;

inline constexpr float text_height = 14.0f;
inline constexpr float small_height = 12.5f;
inline constexpr float title_height = 13.0f;

juce::Font font (float height, bool is_strong = false);

// A card on the background with its title at the top; what is left below the title, without the margins.
void draw_card (juce::Graphics& g, juce::Rectangle<int> bounds, const juce::String& title);
juce::Rectangle<int> inside_card (juce::Rectangle<int> bounds);

// Around a component that has the keyboard.
void draw_focus (juce::Graphics& g, juce::Rectangle<float> bounds, float corner);

} // namespace bandmate::plugin::theme
