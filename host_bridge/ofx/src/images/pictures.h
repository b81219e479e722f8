// SPDX-License-Identifier: Apache-2.0
// The host's images as plates of a request, and plates of a result as the host's image. Images run up from their lowest
// row, in whole pixels of the render scale; plates run down from their top one.
#pragma once

#include <string>
#include <vector>

#include "host/effect.h"
#include "service/run_call.h"

namespace understudy {

// The frame that a viewer shows, pixels at the render scale. `top` is where plates begin to count their rows.
struct Format {
  int left = 0, right = 0, bottom = 0, top = 0;
};

// The project's frame, or the image's own bounds where the host does not say.
Format format_of(const Effect &effect, const Image &image, double scale_x, double scale_y);

// Describes an image. `lone` names the channel of an image that has one only.
PlateHead head_of(const Image &image, const Format &format, const std::string &name, int64_t frame,
                  const std::string &colorspace, const char *lone);

// Fills a plate that has its place with the image's samples.
void fill(Plate &plate, const Image &image);

// What one channel of the output shows: a channel of a plate, or a value wherever there is none.
struct Shown {
  const Plate *plate = nullptr;
  int index = 0;
  float otherwise = 0;

  static Shown of(const Plate &plate, const std::string &name, float otherwise = 0);
};

// Writes a part of the output. `top`: the output's row that row 0 of plates is; it grows with an upscale.
void write(Image &output, const OfxRectI &window, const std::vector<Shown> &channels, int top);

// The channels of a picture for an output of so many components.
std::vector<Shown> picture_channels(const Plate &plate, int components);

// An input image as it is, where the output shows it.
void copy(const Image &source, Image &output, const OfxRectI &window, float alpha_instead, bool replace_alpha);

}  // namespace understudy
