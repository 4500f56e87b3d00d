"""Files of programs that the tests share."""

BUCKET = '''import asyncio
import logging
from dataclasses import dataclass, field

log = logging.getLogger(__name__)


@dataclass
class Pail:
    """Fills again over time."""

    capacity: int
    tokens: float = field(init=False)

    def take(self, amount=1):
        now = asyncio.get_event_loop().time()
        self.tokens = min(
            self.capacity,
            self.tokens + (now - self.updated) * self.speed,
        )
        # Never go below nothing.
        if self.tokens < amount:
            return False
        elif amount > self.capacity:
            raise ValueError(amount)
        else:
            self.tokens -= amount
        return True


class Gate:
    async def enter(self, key, timeout=5.0):
        deadline = asyncio.get_event_loop().time() + timeout
        while not self.pail.take():
            if asyncio.get_event_loop().time() > deadline:
                raise TimeoutError(key)
            await asyncio.sleep(0.05)
'''
NUMBERED = "\n".join(f"{number:6d}\t{line}" for number, line in enumerate(BUCKET.split("\n")[:-1], 1)) + "\n"

TYPESCRIPT = """import { readFile } from "fs/promises";

export interface Entry {
  name: string;
  size: number;
}

export async function load(path: string, limit = 10): Promise<Entry[]> {
  const text = await readFile(path, "utf8");
  if (!text) {
    return [];
  } else if (text.length > limit) {
    throw new Error(`too long: ${path} {`);
  } else {
    log(text);
  }
  switch (text[0]) {
    case "#":
      return [];
    default:
      skip(text);
  }
  return JSON.parse(text);
}
"""
C = """#include <stdio.h>

#define LIMIT 10

static int
clamp(int value)
{
#ifdef STRICT
    if (value > LIMIT)
        return -1;
#else
    value = value % LIMIT;
#endif
    if (value < 0)
        goto fail;
    return value;
fail:
    fprintf(stderr, "bad value }\\n");
    return -1;
}
"""
GO = """package main

import (
	"fmt"
	"os"
)

func run(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer file.Close()
	switch name {
	case "a":
		fmt.Println(name)
	default:
		fmt.Println("other")
	}
	return nil
}
"""
SHELL = """#!/bin/bash
set -euo pipefail

deploy() {
    local target="$1"
    if [ -z "$target" ]; then
        echo "no target" >&2
        exit 1
    else
        rsync -a build/ "$target"
    fi
    for host in $HOSTS; do
        ssh "$host" systemctl restart app
    done
}

deploy "$@"
"""
RUST = """use std::fs;

pub struct Cell<'a> {
    name: &'a str,
}

impl<'a> Cell<'a> {
    pub fn open(&self) -> Result<String, Error> {
        let text = fs::read_to_string(self.name)?;
        match text.len() {
            0 => return Err(Error::Empty),
            _ => {}
        }
        Ok(text)
    }
}
"""
RUBY = """require "json"

class Store
  def initialize(path)
    @path = path
  end

  def load
    return {} unless File.exist?(@path)
    JSON.parse(File.read(@path))
  rescue JSON::ParserError => e
    warn e.message
    raise
  end
end
"""
LUA = """local M = {}

function M.clamp(x, low, high)
  if x < low then
    return low
  elseif x > high then
    return high
  end
  return x
end

return M
"""
SOURCES = [BUCKET, NUMBERED, TYPESCRIPT, C, GO, SHELL, RUST, RUBY, LUA]
